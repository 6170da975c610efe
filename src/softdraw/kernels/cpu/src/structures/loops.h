/* One instruction set's loops over structures: included by loops.h. */

#include "structures.h"

#include "arithmetic.h"
#include "trees.h"
#include "tree_draws.h"
#include "tree_tangents.h"
#include "subset_items.h"
#include "subsets.h"
#include "entropic.h"
#include "sinkhorn.h"
#include "sinkhorn_gradient.h"

int NAME(softdraw_structures)(const void *argument, int64_t begin, int64_t end) {
    const struct structure *s = argument;
    switch (s->operation) {
    case ST_TREES: return trees(s, begin, end);
    case ST_SUBSETS: return subsets(s, begin, end);
    case ST_SUBSET_DRAWS: return subset_draws(s, begin, end);
    case ST_TREE_DRAWS: return tree_draws(s, begin, end);
    case ST_TREE_CURVATURE: return tree_curvature(s, begin, end);
    case ST_ENTROPIC: return entropic(s, begin, end);
    case ST_ENTROPIC_BACKWARD: return entropic_backward(s, begin, end);
    case ST_SINKHORN_BACKWARD: return sinkhorn_backward(s, begin, end);
    default: return sinkhorn(s, begin, end);
    }
}

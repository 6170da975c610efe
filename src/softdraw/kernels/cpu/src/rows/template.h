/* The loops of one dtype, in the order in which they need each other; see dtypes.h. */
#include "tensors.h"
#include "search.h"
#include "order.h"
#include "weights.h"
#include "narrow.h"
#include "../gradients/softmax.h"
#include "../gradients/jacobians.h"
#include "../gradients/reinmax.h"
#include "../gradients/rao.h"
#include "rows.h"
#if !defined(HALF)
#include "../vocabulary/index_rows.h"
#include "../vocabulary/mixture_rows.h"
#endif

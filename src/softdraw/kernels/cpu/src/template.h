/* The loops of one dtype; see dtypes.h. */
#include "tensors.h"
#include "search.h"
#include "weights.h"
#include "narrow.h"
#include "jacobians.h"
#include "reinmax.h"
#include "rao.h"
#include "rows.h"

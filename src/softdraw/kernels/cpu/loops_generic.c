/* The loops for any processor. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "vector_generic.h"
#include "loops.h"

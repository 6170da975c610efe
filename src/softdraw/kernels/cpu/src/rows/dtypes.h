/* The rows' template (tensors.h and the files after it), once for each dtype. Within it: STORED is how an element lies in
   memory, REAL what is computed with, V and VI vectors of N lanes of it, F(x) a name of this dtype and R(x) one of
   this REAL. */

#define REAL float
#define V vf
#define VI vi
#define N LANES
#define R(x) x##32
#define INFINITE __builtin_inff()
#define LARGEST 3.402823466e+38f
#define SMALLEST 1.175494351e-38f
#define INFINITE_BITS 0x7F800000
#define SIGN_OFF 0x7FFFFFFF
#define BOUNDED 1 /* noise has a bound that costs less than itself */
#include "../vectors/transpose.h"

#define STORED float
#define F(x) x##_f32
#include "template.h"
#undef STORED
#undef F

#define HALF
#define STORED uint16_t
#define FROM_HALF from_bfloat
#define TO_HALF to_bfloat
#define F(x) x##_bf16
#include "template.h"
#undef FROM_HALF
#undef TO_HALF
#undef F

#define FROM_HALF from_half
#define TO_HALF to_half
#define F(x) x##_f16
#include "template.h"
#undef HALF
#undef STORED
#undef FROM_HALF
#undef TO_HALF
#undef F

#undef REAL
#undef V
#undef VI
#undef N
#undef R
#undef INFINITE
#undef LARGEST
#undef SMALLEST
#undef INFINITE_BITS
#undef SIGN_OFF
#undef BOUNDED

#define REAL double
#define V vd
#define VI vl
#define N (LANES / 2)
#define R(x) x##64
#define INFINITE __builtin_inf()
#define LARGEST 1.7976931348623157e+308
#define SMALLEST 2.2250738585072014e-308
#define INFINITE_BITS 0x7FF0000000000000LL
#define SIGN_OFF 0x7FFFFFFFFFFFFFFFLL
#define BOUNDED 0
#include "../vectors/transpose.h"
#define STORED double
#define F(x) x##_f64
#include "template.h"

/* module.c: how Python calls a tile of a vocabulary's draws of an index. */
#define INDEX_ARGUMENTS 27

static PyObject *run_index(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    uint64_t n[INDEX_ARGUMENTS];
    (void)module;
    if (count != INDEX_ARGUMENTS) {
        PyErr_Format(PyExc_TypeError, "run_index takes %d arguments, got %zd", INDEX_ARGUMENTS, count);
        return NULL;
    }
    for (int i = 0; i < INDEX_ARGUMENTS; i++) n[i] = PyLong_AsUnsignedLongLongMask(args[i]);
    if (PyErr_Occurred()) return NULL;
#define PLACE(i) ((char *)(uintptr_t)n[i])
    const struct vocabulary_index v = {
        .operation = (int64_t)n[0], .wide = (int64_t)n[1], .rows = (int64_t)n[2], .classes = (int64_t)n[3],
        .samples = (int64_t)n[4], .all_rows = (int64_t)n[5], .class_start = (int64_t)n[6], .seed = n[7], .offset = n[8],
        .tile = PLACE(9), .bias = PLACE(10), .mask = (const uint8_t *)PLACE(11), .mask_stride = (int64_t)n[12],
        .rate = PLACE(13), .top = PLACE(14), .best = PLACE(15), .chosen = PLACE(16), .index = (int64_t *)PLACE(17),
        .sums = (double *)PLACE(18), .log_total = PLACE(19), .mean = PLACE(20), .total = PLACE(21), .spread = PLACE(22),
        .picked = PLACE(23), .tau_grad = (double *)PLACE(24),
    };
#undef PLACE
    const int64_t piece = (int64_t)n[25] > 0 ? (int64_t)n[25] : 1;
    if (v.rows > 0 && v.classes > 0) {
        Py_BEGIN_ALLOW_THREADS
        softdraw_divide(chosen_index, &v, v.rows, piece, (v.rows + piece - 1) / piece, (int64_t)n[26]);
        Py_END_ALLOW_THREADS
    }
    Py_RETURN_NONE;
}

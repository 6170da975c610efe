/* The Python module softdraw.kernels.cpu._native: numbers and addresses in, nothing out. No torch headers. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include "job.h"
#include "pages.h"
#include "structures/structures.h"

static softdraw_work chosen, chosen_structures;
static const char *chosen_name;

static int choose(const char *wanted) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512 && (!wanted || !strcmp(wanted, "avx512"))) {
        chosen = softdraw_loops_avx512, chosen_structures = softdraw_structures_avx512, chosen_name = "avx512";
        return 1;
    }
    if (avx2 && (!wanted || !strcmp(wanted, "avx2"))) {
        chosen = softdraw_loops_avx2, chosen_structures = softdraw_structures_avx2, chosen_name = "avx2";
        return 1;
    }
#endif
    if (!wanted || !strcmp(wanted, "generic")) {
        chosen = softdraw_loops_generic, chosen_structures = softdraw_structures_generic, chosen_name = "generic";
        return 1;
    }
    return 0;
}

static PyObject *instructions(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyUnicode_FromString(chosen_name);
}

static PyObject *use_instructions(PyObject *module, PyObject *name) {
    (void)module;
    PyObject *bytes = PyUnicode_AsUTF8String(name);
    if (!bytes) return NULL;
    int known = choose(PyBytes_AsString(bytes));
    Py_DECREF(bytes);
    return PyBool_FromLong(known);
}

static PyObject *use_team(PyObject *module, PyObject *address) {
    (void)module;
    const uintptr_t team = (uintptr_t)PyLong_AsUnsignedLongLong(address);
    if (PyErr_Occurred()) return NULL;
    softdraw_threads((softdraw_team)team);
    Py_RETURN_NONE;
}

#define ARGUMENTS 19

/* `count` is 0 for rows that are one block each. */
static PyObject *run_job(PyObject *const *args, const int64_t *sizes, Py_ssize_t count) {
    struct job job;
    uint64_t n[ARGUMENTS];
    job.tau = PyFloat_AsDouble(args[12]);
    for (int i = 0; i < ARGUMENTS; i++)
        if (i != 12) n[i] = PyLong_AsUnsignedLongLongMask(args[i]);
    if (PyErr_Occurred()) return NULL;
    job.operation = (int64_t)n[0];
    job.law = (int64_t)n[1];
    job.dtype = (int64_t)n[2];
    job.out = (char *)(uintptr_t)n[3];
    job.index = (int64_t *)(uintptr_t)n[4];
    job.grad = (const char *)(uintptr_t)n[5];
    job.logits = (const char *)(uintptr_t)n[6];
    job.mask = (const uint8_t *)(uintptr_t)n[7];
    job.mask_stride = (int64_t)n[8];
    job.samples = (int64_t)n[9];
    job.rows = (int64_t)n[10];
    job.classes = (int64_t)n[11];
    job.row_tau = (const char *)(uintptr_t)n[13];
    job.seed = n[14];
    job.offset = n[15];
    job.draws = (int64_t)n[17];
    job.group = (int64_t)n[18];
    job.stride = job.classes;
    job.step = 1;
    int status = 0;
    if (job.samples > 0 && job.rows > 0 && job.classes > 0) {
        static const size_t widths[] = {4, 8, 2, 2};
        softdraw_work work = chosen;
        Py_BEGIN_ALLOW_THREADS
        if (job.out) ask_for_huge_pages(job.out, (size_t)(job.samples * job.rows * job.classes) * widths[job.dtype]);
        status = count ? softdraw_share_blocks(work, &job, sizes, count, (int64_t)n[16])
                       : softdraw_share(work, &job, (int64_t)n[16]);
        Py_END_ALLOW_THREADS
    }
    if (status) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *run(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count != ARGUMENTS) {
        PyErr_Format(PyExc_TypeError, "run takes %d arguments, got %zd", ARGUMENTS, count);
        return NULL;
    }
    return run_job(args, NULL, 0);
}

static PyObject *run_blocks(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count != ARGUMENTS + 1 || !PyTuple_Check(args[ARGUMENTS])) {
        PyErr_Format(PyExc_TypeError, "run_blocks takes %d arguments, the last a tuple, got %zd", ARGUMENTS + 1, count);
        return NULL;
    }
    const Py_ssize_t blocks = PyTuple_Size(args[ARGUMENTS]);
    int64_t *sizes = PyMem_Malloc((size_t)(blocks ? blocks : 1) * sizeof *sizes);
    if (!sizes) return PyErr_NoMemory();
    for (Py_ssize_t b = 0; b < blocks; b++) sizes[b] = PyLong_AsLongLong(PyTuple_GetItem(args[ARGUMENTS], b));
    PyObject *result = PyErr_Occurred() ? NULL : run_job(args, sizes, blocks);
    PyMem_Free(sizes);
    return result;
}

#define STRUCTURE_ARGUMENTS 15

static PyObject *run_structure(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    struct structure s;
    uint64_t n[STRUCTURE_ARGUMENTS];
    (void)module;
    if (count != STRUCTURE_ARGUMENTS) {
        PyErr_Format(PyExc_TypeError, "run_structure takes %d arguments, got %zd", STRUCTURE_ARGUMENTS, count);
        return NULL;
    }
    s.tolerance = PyFloat_AsDouble(args[6]);
    for (int i = 0; i < STRUCTURE_ARGUMENTS; i++)
        if (i != 6) n[i] = PyLong_AsUnsignedLongLongMask(args[i]);
    if (PyErr_Occurred()) return NULL;
    s.operation = (int64_t)n[0];
    s.rows = (int64_t)n[1], s.items = (int64_t)n[2], s.size = (int64_t)n[3];
    s.samples = (int64_t)n[4], s.most = (int64_t)n[5];
    s.logits = (const double *)(uintptr_t)n[7], s.other = (const double *)(uintptr_t)n[8];
    s.value = (double *)(uintptr_t)n[9], s.out = (double *)(uintptr_t)n[10], s.more = (double *)(uintptr_t)n[11];
    int status = 0;
    if (s.rows > 0) {
        Py_BEGIN_ALLOW_THREADS
        status = softdraw_divide(chosen_structures, &s, s.rows, (int64_t)n[12], (int64_t)n[13],
                                 (int64_t)n[14]);
        Py_END_ALLOW_THREADS
    }
    if (status) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"run", (PyCFunction)(void (*)(void))run, METH_FASTCALL,
     "run(operation, law, dtype, out, index, grad, logits, mask, mask_stride, samples, rows, classes, tau, row_tau, "
     "seed, offset, threads, draws, group): one operation on contiguous memory; see job.h."},
    {"run_blocks", (PyCFunction)(void (*)(void))run_blocks, METH_FASTCALL,
     "run_blocks(..., sizes): run on rows that are blocks of these sizes, which sum to classes; see job.h."},
    {"run_structure", (PyCFunction)(void (*)(void))run_structure, METH_FASTCALL,
     "run_structure(operation, rows, items, size, samples, most, tolerance, logits, other, value, out, more, piece, helpers, "
     "threads): one operation on contiguous float64 memory; see structures/structures.h."},
    {"instructions", instructions, METH_NOARGS, "instructions(): avx512, avx2 or generic."},
    {"use_instructions", use_instructions, METH_O,
     "use_instructions(name): choose an instruction set; False, and no change, where the processor lacks it."},
    {"use_team", use_team, METH_O,
     "use_team(address): work with the threads of GOMP_parallel at this address; 0 for threads of our own."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", "Fused draws on the CPU.", -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void) {
    choose(NULL);
    softdraw_threads(NULL);
    return PyModule_Create(&definition);
}

/* The Python module softdraw.kernels.cpu._native: numbers and addresses in, nothing out. No torch headers. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include "job.h"
#include "pages.h"
#include "processor.h"
#include "structures/structures.h"
#include "tensors.h"
#include "vocabulary/index.h"
#include "vocabulary/mixture.h"

static softdraw_work chosen, chosen_structures, chosen_index, chosen_mixture;
static const char *chosen_name;

static int choose(const char *wanted) {
#if defined(__x86_64__)
    const enum instruction_set best = best_instructions();
    if (best >= IS_AVX512 && (!wanted || !strcmp(wanted, "avx512"))) {
        chosen = softdraw_loops_avx512, chosen_structures = softdraw_structures_avx512;
        chosen_index = softdraw_index_avx512, chosen_mixture = softdraw_mixture_avx512, chosen_name = "avx512";
        return 1;
    }
    if (best >= IS_AVX2 && (!wanted || !strcmp(wanted, "avx2"))) {
        chosen = softdraw_loops_avx2, chosen_structures = softdraw_structures_avx2;
        chosen_index = softdraw_index_avx2, chosen_mixture = softdraw_mixture_avx2, chosen_name = "avx2";
        return 1;
    }
#endif
    if (!wanted || !strcmp(wanted, "generic")) {
        chosen = softdraw_loops_generic, chosen_structures = softdraw_structures_generic;
        chosen_index = softdraw_index_generic, chosen_mixture = softdraw_mixture_generic, chosen_name = "generic";
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

/* The arguments of `run`: these in order, and the others by name, which is cheaper here than in Python. */
enum { OPERATION, DTYPE, SAMPLES, ROWS, CLASSES, THREADS, IN_ORDER };
enum { OUT, INDEX, GRAD, VALUES, MASK, MASK_STRIDE, TAU, SEED, OFFSET, LAW, DRAWS, GROUP, SIZES,
       CLASS_START, BY_NAME };
static const char *const spelled[BY_NAME] = {"out", "index", "grad", "values", "mask", "mask_stride", "tau",
                                             "seed", "offset", "law", "draws", "group", "sizes", "class_start"};
static PyObject *names[BY_NAME];

static int intern_names(void) {
    for (int i = 0; i < BY_NAME; i++)
        if (!(names[i] = PyUnicode_InternFromString(spelled[i]))) return -1;
    return intern_tensor_names();
}

static int number_of(PyObject *name) {
    for (int i = 0; i < BY_NAME; i++)
        if (name == names[i]) return i;
    for (int i = 0; i < BY_NAME; i++)
        if (PyUnicode_Compare(name, names[i]) == 0) return i;
    PyErr_Format(PyExc_TypeError, "run: got an argument %R, which it does not have", name);
    return -1;
}

static int work(struct job *job, const int64_t *sizes, Py_ssize_t blocks, int64_t threads) {
    static const size_t widths[] = {4, 8, 2, 2};
    softdraw_work loops = chosen;
    int status = 0;
    if (job->samples < 1 || job->rows < 1 || job->classes < 1) return 0;
    Py_BEGIN_ALLOW_THREADS
    if (job->out) ask_for_huge_pages(job->out, (size_t)(job->samples * job->rows * job->classes) * widths[job->dtype]);
    status = blocks ? softdraw_share_blocks(loops, job, sizes, blocks, threads) : softdraw_share(loops, job, threads);
    Py_END_ALLOW_THREADS
    return status;
}

/* `blocks` as an array that is to be freed, NULL with an error set; their sum must be the classes. */
static int64_t *read_sizes(PyObject *blocks, int64_t classes) {
    if (!PyTuple_Check(blocks) || PyTuple_Size(blocks) < 1) {
        PyErr_Format(PyExc_TypeError, "sizes: got %R, expected a tuple of sizes", blocks);
        return NULL;
    }
    const Py_ssize_t count = PyTuple_Size(blocks);
    int64_t sum = 0, *sizes = PyMem_Malloc((size_t)count * sizeof *sizes);
    if (!sizes) return (int64_t *)PyErr_NoMemory();
    int right = 1;
    for (Py_ssize_t b = 0; b < count; b++) {
        sizes[b] = PyLong_AsLongLong(PyTuple_GetItem(blocks, b));
        right &= sizes[b] > 0 && sizes[b] <= classes - sum;
        sum += right ? sizes[b] : 0;
    }
    if (PyErr_Occurred() || !right || sum != classes) {
        if (!PyErr_Occurred()) PyErr_Format(PyExc_ValueError, "sizes: got %R, expected sizes whose sum is %lld", blocks, (long long)classes);
        PyMem_Free(sizes);
        return NULL;
    }
    return sizes;
}

static PyObject *run(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *keywords) {
    PyObject *given[BY_NAME] = {NULL};
    uint64_t ordered[IN_ORDER];
    (void)module;
    if (count != IN_ORDER) {
        PyErr_Format(PyExc_TypeError, "run takes %d arguments in order, got %zd", IN_ORDER, count);
        return NULL;
    }
    for (int i = 0; i < IN_ORDER; i++) ordered[i] = PyLong_AsUnsignedLongLongMask(args[i]);
    const Py_ssize_t more = keywords ? PyTuple_Size(keywords) : 0;
    for (Py_ssize_t i = 0; i < more; i++) {
        const int number = number_of(PyTuple_GetItem(keywords, i));
        if (number < 0) return NULL;
        given[number] = args[count + i];
    }
    struct job job = {0};
    job.operation = (int64_t)ordered[OPERATION];
    job.dtype = (int64_t)ordered[DTYPE];
    job.samples = (int64_t)ordered[SAMPLES];
    job.rows = (int64_t)ordered[ROWS];
    job.classes = (int64_t)ordered[CLASSES];
    job.out = (char *)address(given[OUT]);
    job.index = (int64_t *)address(given[INDEX]);
    job.grad = (const char *)address(given[GRAD]);
    job.logits = (const char *)address(given[VALUES]);
    job.mask = (const uint8_t *)address(given[MASK]);
    job.mask_stride = (int64_t)integer(given[MASK_STRIDE], 0);
    job.seed = integer(given[SEED], 0);
    job.offset = integer(given[OFFSET], 0);
    job.law = (int64_t)integer(given[LAW], 0);
    job.draws = (int64_t)integer(given[DRAWS], 1);
    job.group = (int64_t)integer(given[GROUP], 1);
    job.class_start = (int64_t)integer(given[CLASS_START], 0);
    if (given[GRAD] && given[GRAD] != Py_None && job.dtype >= 0 && job.dtype < INDICES) {
        const int64_t elements = job.rows * job.classes;
        fits(given[VALUES], "values", (int)job.dtype, elements);
        fits(given[INDEX], "index", INDICES, job.samples * job.rows);
        fits(given[MASK], "mask", BOOLEANS, elements);
    }
    job.tau = 1.0;
    job.stride = job.classes;
    job.step = 1;
    PyObject *row_tau = NULL, *tau = given[TAU];
    if (tau && (PyFloat_Check(tau) || PyLong_Check(tau))) job.tau = PyFloat_AsDouble(tau);
    else if (tau && !PyErr_Occurred() && (row_tau = PyObject_CallMethodObjArgs(tau, contiguous, NULL)))
        job.row_tau = (const char *)address(row_tau);
    PyObject *blocks = given[SIZES];
    int64_t *sizes = blocks && !PyErr_Occurred() ? read_sizes(blocks, job.classes) : NULL;
    int failed = PyErr_Occurred() != NULL;
    if (!failed && work(&job, sizes, sizes ? PyTuple_Size(blocks) : 0, (int64_t)ordered[THREADS])) {
        PyErr_NoMemory();
        failed = 1;
    }
    PyMem_Free(sizes);
    Py_XDECREF(row_tau);
    if (failed) return NULL;
    Py_RETURN_NONE;
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
    if (s.out && (s.operation == ST_ENTROPIC || s.operation == ST_ENTROPIC_BACKWARD))
        ask_for_huge_pages((char *)s.out, (size_t)(s.rows * s.items) * (s.most ? sizeof(float) : sizeof(double)));
    if (s.rows > 0) {
        Py_BEGIN_ALLOW_THREADS
        status = softdraw_divide(chosen_structures, &s, s.rows, (int64_t)n[12], (int64_t)n[13],
                                 (int64_t)n[14]);
        Py_END_ALLOW_THREADS
    }
    if (status) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

#define MIXTURE_ARGUMENTS 20

static PyObject *run_mixture(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    uint64_t n[MIXTURE_ARGUMENTS];
    (void)module;
    if (count != MIXTURE_ARGUMENTS) {
        PyErr_Format(PyExc_TypeError, "run_mixture takes %d arguments, got %zd", MIXTURE_ARGUMENTS, count);
        return NULL;
    }
    for (int i = 0; i < MIXTURE_ARGUMENTS; i++) n[i] = PyLong_AsUnsignedLongLongMask(args[i]);
    if (PyErr_Occurred()) return NULL;
    const struct mixture m = {
        .operation = (int64_t)n[0], .flags = (int64_t)n[1], .rows = (int64_t)n[2], .classes = (int64_t)n[3],
        .class_start = (int64_t)n[4], .values = (char *)(uintptr_t)n[5], .other = (char *)(uintptr_t)n[6],
        .bias = (const char *)(uintptr_t)n[7], .mask = (const uint8_t *)(uintptr_t)n[8], .mask_stride = (int64_t)n[9],
        .tau = (const double *)(uintptr_t)n[10], .state = (double *)(uintptr_t)n[11], .index = (int64_t *)(uintptr_t)n[12],
        .factor = (char *)(uintptr_t)n[13], .means = (const double *)(uintptr_t)n[14],
        .tau_grad = (double *)(uintptr_t)n[15], .seed = n[16], .offset = n[17],
    };
    if (m.rows > 0 && m.classes > 0) {
        Py_BEGIN_ALLOW_THREADS
        softdraw_divide(chosen_mixture, &m, m.rows, (int64_t)n[18],
                        m.rows / ((int64_t)n[18] > 0 ? (int64_t)n[18] : 1), (int64_t)n[19]);
        Py_END_ALLOW_THREADS
    }
    Py_RETURN_NONE;
}

#include "vocabulary/index_call.h"

static PyMethodDef methods[] = {
    {"run", (PyCFunction)(void (*)(void))run, METH_FASTCALL | METH_KEYWORDS,
     "run(operation, dtype, samples, rows, classes, threads, *, out, index, grad, values, mask, mask_stride, tau, seed, "
     "offset, law, draws, group, sizes, class_start): one operation on contiguous tensors; see job.h. With sizes, a row is blocks of "
     "these sizes."},
    {"run_structure", (PyCFunction)(void (*)(void))run_structure, METH_FASTCALL,
     "run_structure(operation, rows, items, size, samples, most, tolerance, logits, other, value, out, more, piece, helpers, "
     "threads): one operation on contiguous float64 memory; see structures/structures.h."},
    {"run_mixture", (PyCFunction)(void (*)(void))run_mixture, METH_FASTCALL,
     "run_mixture(operation, flags, rows, classes, class_start, values, other, bias, mask, mask_stride, tau, state, index, "
     "factor, means, tau_grad, seed, offset, piece, threads): one tile of a vocabulary's logits; see vocabulary/mixture.h."},
    {"run_index", (PyCFunction)(void (*)(void))run_index, METH_FASTCALL,
     "run_index(operation, wide, rows, classes, samples, all_rows, class_start, seed, offset, tile, bias, mask, mask_stride, "
     "rate, top, best, chosen, index, sums, log_total, mean, total, spread, picked, tau_grad, piece, threads): one tile of a "
     "vocabulary's logits; see vocabulary/index.h."},
    {"instructions", instructions, METH_NOARGS, "instructions(): avx512, avx2 or generic."},
    {"use_instructions", use_instructions, METH_O,
     "use_instructions(name): choose an instruction set; False, and no change, where the processor lacks it."},
    {"use_dtypes", use_dtypes, METH_O,
     "use_dtypes(dtypes): torch's float32, float64, bfloat16, float16, int64 and bool, by which `run` knows what it is given."},
    {"use_team", use_team, METH_O,
     "use_team(address): work with the threads of GOMP_parallel at this address; 0 for threads of our own."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", "Fused draws on the CPU.", -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void) {
    if (intern_names()) return NULL;
    choose(NULL);
    softdraw_threads(NULL);
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddIntConstant(module, "INTERFACE", SOFTDRAW_INTERFACE)) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}

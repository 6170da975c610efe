/* What the module reads of tensors, by the methods that Python sees: addresses, dtypes and sizes. */
#ifndef SOFTDRAW_TENSORS_H
#define SOFTDRAW_TENSORS_H

#include <Python.h>

static PyObject *data_ptr, *contiguous, *dtype_of, *is_cpu, *numel;
/* torch's dtypes in the order of `enum dtype`, and behind them those of indices and of masks; see use_dtypes. */
enum { INDICES = 4, BOOLEANS, DTYPES };
static PyObject *dtypes[DTYPES];

static int intern_tensor_names(void) {
    data_ptr = PyUnicode_InternFromString("data_ptr");
    contiguous = PyUnicode_InternFromString("contiguous");
    dtype_of = PyUnicode_InternFromString("dtype");
    is_cpu = PyUnicode_InternFromString("is_cpu");
    numel = PyUnicode_InternFromString("numel");
    return data_ptr && contiguous && dtype_of && is_cpu && numel ? 0 : -1;
}

static PyObject *use_dtypes(PyObject *module, PyObject *given) {
    (void)module;
    if (!PyTuple_Check(given) || PyTuple_Size(given) != DTYPES) {
        PyErr_Format(PyExc_TypeError, "use_dtypes takes a tuple of %d dtypes, got %R", DTYPES, given);
        return NULL;
    }
    for (int i = 0; i < DTYPES; i++) {
        Py_XDECREF(dtypes[i]);
        Py_INCREF(dtypes[i] = PyTuple_GetItem(given, i));
    }
    Py_RETURN_NONE;
}

/* Where a tensor's memory is, 0 for None and for what is not given; check PyErr_Occurred. */
static uintptr_t address(PyObject *tensor) {
    if (!tensor || tensor == Py_None || PyErr_Occurred()) return 0;
    PyObject *number = PyObject_CallMethodObjArgs(tensor, data_ptr, NULL);
    if (!number) return 0;
    const uintptr_t place = (uintptr_t)PyLong_AsUnsignedLongLongMask(number);
    Py_DECREF(number);
    return place;
}

/* Whether a tensor is of a dtype, on the CPU and of a size; or else an error is set. What an autograd function
   saved may come back from a hook as something else, whose memory a loop would read all the same. */
static int fits(PyObject *tensor, const char *name, int dtype, int64_t elements) {
    if (!tensor || tensor == Py_None || PyErr_Occurred()) return !PyErr_Occurred();
    PyObject *has = PyObject_GetAttr(tensor, dtype_of);
    const int right = has == dtypes[dtype];
    Py_XDECREF(has);
    PyObject *here = has ? PyObject_GetAttr(tensor, is_cpu) : NULL;
    const int near = here == Py_True;
    Py_XDECREF(here);
    PyObject *count = here ? PyObject_CallMethodObjArgs(tensor, numel, NULL) : NULL;
    const int whole = count && PyLong_AsLongLong(count) == elements;
    Py_XDECREF(count);
    if (PyErr_Occurred()) return 0;
    if (right && near && whole) return 1;
    PyErr_Format(right ? PyExc_ValueError : PyExc_TypeError, "%s: got a tensor of another %s than the loop is to read", name,
                 !right ? "dtype" : near ? "size" : "device");
    return 0;
}

static uint64_t integer(PyObject *number, uint64_t otherwise) {
    return number ? PyLong_AsUnsignedLongLongMask(number) : otherwise;
}

#endif

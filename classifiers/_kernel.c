/* The feature pass and the gather-and-add of `features.rows` and `linear.Stack.sums` in one loop.
 *
 * Optional: where no compiler was there at installation the NumPy path does the same, to the same integers. See
 * `features.py` for what a feature is; the arithmetic here follows it term by term.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define BITS 17
#define SHIFT (64 - BITS)
#define FIRST 0xD6E8FEB86659FD93ULL
#define BASE 0x9E3779B97F4A7C15ULL
#define PAIR 0xA0761D6478BD642FULL
#define LETTER 1
#define SINGLE 2
#define WINDOW 5

typedef struct {
    const uint8_t *kind;
    const char *codes;
    Py_ssize_t width;
    const int8_t *table;
    Py_ssize_t columns;
    int32_t *out;
    uint8_t seen[1 << (BITS - 3)];
} Pass;

static uint64_t code_at(const Pass *pass, Py_ssize_t at)
{
    if (pass->width == 1)
        return ((const uint8_t *)pass->codes)[at];
    return ((const uint16_t *)pass->codes)[at];
}

static uint64_t span(const Pass *pass, Py_ssize_t from, Py_ssize_t to)
{
    uint64_t hash = 0, power = FIRST;
    for (; from < to; from++, power *= BASE)
        hash += code_at(pass, from) * power;
    return hash;
}

/* Add the row of a feature, once a segment. */
static void add(Pass *pass, uint64_t hash)
{
    uint32_t id = (uint32_t)(hash >> SHIFT);
    uint8_t bit = (uint8_t)(1u << (id & 7));
    if (pass->seen[id >> 3] & bit)
        return;
    pass->seen[id >> 3] |= bit;
    const int8_t *row = pass->table + (Py_ssize_t)id * pass->columns;
    for (Py_ssize_t column = 0; column < pass->columns; column++)
        pass->out[column] += row[column];
}

/* One segment: from its boundary at `at` to the next boundary at `end`, which opens the last pair. */
static void segment(Pass *pass, Py_ssize_t at, Py_ssize_t end)
{
    const uint8_t *kind = pass->kind;
    uint64_t before = 0;
    int first = 1;
    for (Py_ssize_t i = at; i <= end;) {
        if (kind[i] != LETTER && kind[i] != SINGLE) {
            i++;
            continue;
        }
        Py_ssize_t start = i++;
        if (kind[start] == LETTER)
            while (kind[i] == LETTER)
                i++;
        uint64_t word = span(pass, start, i);
        if (!first)
            add(pass, before * PAIR + word);
        if (start != end)
            add(pass, word);
        before = word;
        first = 0;
    }
    for (Py_ssize_t i = at; i < end; i++)
        if (kind[i + 1] == LETTER && kind[i + 2] == LETTER && kind[i + 3] == LETTER)
            add(pass, span(pass, i, i + WINDOW));
}

PyDoc_STRVAR(sums_doc,
"sums(kind, codes, bounds, table, columns, out)\n\n"
"Fill `out` (int32, segments x columns) with the sums over the distinct features of each segment. `kind` and `codes`\n"
"(8 or 16 bits each) are what `features.read` returns, `bounds` (int64) where the segments' boundaries stand, the\n"
"closing one included.");

static PyObject *sums(PyObject *self, PyObject *args)
{
    Py_buffer kind, codes, bounds, table, out;
    Py_ssize_t columns;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(args, "y*y*y*y*nw*", &kind, &codes, &bounds, &table, &columns, &out))
        return NULL;
    const int64_t *at = bounds.buf;
    Py_ssize_t segments = bounds.len / 8 - 1;
    Py_ssize_t width = kind.len ? codes.len / kind.len : 0;
    int sound = segments >= 1 && columns > 0 && (width == 1 || width == 2) && codes.len == width * kind.len
        && table.len == columns << BITS && out.len == segments * columns * 4 && at[0] >= 1;
    for (Py_ssize_t s = 0; sound && s < segments; s++)
        sound = at[s] < at[s + 1];
    /* Behind the last boundary stands a separator, and no window reaches past it. */
    if (sound)
        sound = at[segments] + 1 < kind.len && ((const uint8_t *)kind.buf)[kind.len - 1] == 0;
    if (!sound) {
        PyErr_SetString(PyExc_ValueError, "buffers that do not fit together");
    } else {
        Pass *pass = PyMem_Malloc(sizeof(Pass));
        if (pass == NULL) {
            PyErr_NoMemory();
        } else {
            pass->kind = kind.buf;
            pass->codes = codes.buf;
            pass->width = width;
            pass->table = table.buf;
            pass->columns = columns;
            memset(out.buf, 0, (size_t)out.len);
            for (Py_ssize_t s = 0; s < segments; s++) {
                pass->out = (int32_t *)out.buf + s * columns;
                memset(pass->seen, 0, sizeof pass->seen);
                segment(pass, at[s], at[s + 1]);
            }
            PyMem_Free(pass);
            result = Py_NewRef(Py_None);
        }
    }
    PyBuffer_Release(&kind);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&bounds);
    PyBuffer_Release(&table);
    PyBuffer_Release(&out);
    return result;
}

static PyMethodDef methods[] = {{"sums", sums, METH_VARARGS, sums_doc}, {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "classifiers._kernel", .m_size = 0, .m_methods = methods, .m_slots = slots,
};

PyMODINIT_FUNC PyInit__kernel(void)
{
    return PyModuleDef_Init(&module);
}

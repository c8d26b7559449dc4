/* From the pieces of texts to the scores of two linear models over them, in one loop and without a Python object.
 *
 * Optional: where no compiler was there at installation, `kernel.Pair` does the same in NumPy. See `features.py` for
 * what a feature is and `linear.py` for what a margin is; the arithmetic here follows them term by term.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define BITS 17
#define SEGMENT 1024
#define LENGTH (SEGMENT + 2)    /* with a boundary on either side */
#define FIRST 0xD6E8FEB86659FD93ULL
#define BASE 0x9E3779B97F4A7C15ULL
#define INVERSE 0xF1DE83E19937733DULL   /* of BASE, modulo 2**64 */
#define PAIR 0xA0761D6478BD642FULL
#define BOUNDARY 1
#define SEPARATOR 0
#define LETTER 1
#define SINGLE 2
#define PLANE 0x10000
#define WINDOW 5
#define NO_MASS 1e-6

#define BLOCK 16        /* columns that are added at once: a row is a whole number of them */
#define MAX_COLUMNS 64
#define BATCH 256       /* rows whose sum an int16 holds, whatever is in them */

#if PY_VERSION_HEX < 0x030C0000
#define IS_READY(text) (PyUnicode_READY(text) == 0)
#else
#define IS_READY(text) 1
#endif

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif

/* A model's columns, with its mass in the last. */
typedef struct {
    Py_ssize_t from, mass;
} Span;

typedef struct {
    const int8_t *table;
    const uint32_t *letters;    /* of the basic plane: kind << 16 | code */
    double scale[MAX_COLUMNS], bias[MAX_COLUMNS];
    Py_ssize_t columns;
    Span ranked, shared;
    double temperature;

    uint64_t sum[LENGTH + 1];               /* of the codes before each letter, times their powers */
    uint16_t starts[LENGTH], ends[LENGTH];  /* of words */
    uint16_t thirds[LENGTH];                /* letters behind two letters */
    size_t words, windows, found;
    uint32_t ids[3 * LENGTH];
    uint8_t seen[1 << (BITS - 3)];
    int32_t sums[MAX_COLUMNS];

    double piece[MAX_COLUMNS], whole[MAX_COLUMNS], worst[MAX_COLUMNS], latest[MAX_COLUMNS];
    double worst_margin;
} Pass;

/* A span's hash is the difference of two running sums, brought back to its beginning. */
static uint64_t power[LENGTH], inverse[LENGTH];

static uint64_t hash_of(const Pass *pass, size_t from, size_t to)
{
    return (pass->sum[to] - pass->sum[from]) * inverse[from];
}

/* Where words and windows are in `text`, between two boundaries. What varies from letter to letter is added to an index
 * rather than branched on: a branch would be guessed wrong once a word. */
static void read_letters(Pass *pass, PyObject *text)
{
    size_t length = (size_t)PyUnicode_GET_LENGTH(text) + 2;
    int kind_of_text = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    size_t words = 0, ended = 0, windows = 0;
    unsigned before = 0, letters = 0;
    pass->sum[0] = 0;
    for (size_t i = 0; i < length; i++) {
        Py_UCS4 point = i == 0 || i == length - 1 ? BOUNDARY : PyUnicode_READ(kind_of_text, data, i - 1);
        uint32_t letter = pass->letters[point < PLANE ? point : PLANE - 1], kind = letter >> 16;
        unsigned is_word = kind != SEPARATOR, goes_on = letters & (kind == LETTER);
        pass->sum[i + 1] = pass->sum[i] + (letter & 0xFFFF) * power[i];
        letters = letters << 1 | (kind == LETTER);
        pass->starts[words] = pass->ends[ended] = pass->thirds[windows] = (uint16_t)i;
        words += is_word & ~goes_on;
        ended += before & ~goes_on;
        windows += (letters & 7) == 7;
        before = is_word;
    }
    pass->ends[ended] = (uint16_t)length;
    pass->words = words;
    pass->windows = windows;
}

static void find(Pass *pass, uint64_t hash)
{
    pass->ids[pass->found++] = (uint32_t)(hash >> (64 - BITS));
}

/* Words but the closing boundary, pairs, and windows: three letters with whatever stands on either side. */
static void find_features(Pass *pass)
{
    uint64_t before = hash_of(pass, pass->starts[0], pass->ends[0]);
    pass->found = 0;
    for (size_t i = 1; i < pass->words; i++) {
        uint64_t word = hash_of(pass, pass->starts[i], pass->ends[i]);
        find(pass, before);
        find(pass, before * PAIR + word);
        before = word;
    }
    for (size_t i = 0; i < pass->windows; i++) {
        size_t at = pass->thirds[i] - 3u;
        find(pass, hash_of(pass, at, at + WINDOW));
    }
}

/* Each feature counts once a segment. Its row is on the way from memory when it is wanted. */
static void drop_repeated(Pass *pass)
{
    size_t kept = 0;
    memset(pass->seen, 0, sizeof pass->seen);
    for (size_t i = 0; i < pass->found; i++) {
        uint32_t id = pass->ids[i];
        uint8_t *seen = pass->seen + (id >> 3), bit = (uint8_t)(1u << (id & 7));
        pass->ids[kept] = id;
        PREFETCH(pass->table + (size_t)id * (size_t)pass->columns);
        kept += !(*seen & bit);
        *seen |= bit;
    }
    pass->found = kept;
}

static void add_rows(Pass *pass, const uint32_t *ids, size_t count)
{
    for (Py_ssize_t block = 0; block < pass->columns; block += BLOCK) {
        int16_t sums[BLOCK] = {0};
        for (size_t i = 0; i < count; i++) {
            const int8_t *row = pass->table + (size_t)ids[i] * (size_t)pass->columns + block;
            for (int column = 0; column < BLOCK; column++)
                sums[column] = (int16_t)(sums[column] + row[column]);
        }
        for (int column = 0; column < BLOCK; column++)
            pass->sums[block + column] += sums[column];
    }
}

/* Sums of a segment's rows, scaled, in `piece`. */
static void add_segment(Pass *pass, PyObject *text)
{
    read_letters(pass, text);
    find_features(pass);
    drop_repeated(pass);
    memset(pass->sums, 0, sizeof pass->sums);
    for (size_t from = 0; from < pass->found; from += BATCH)
        add_rows(pass, pass->ids + from, pass->found - from < BATCH ? pass->found - from : BATCH);
    for (Py_ssize_t column = 0; column < pass->columns; column++)
        pass->piece[column] = pass->sums[column] * pass->scale[column];
}

static double root(const double *row, Span model)
{
    return sqrt(row[model.mass] > NO_MASS ? row[model.mass] : NO_MASS);
}

static void rank(Pass *pass, const double *row)
{
    double margin = row[pass->ranked.from] / root(row, pass->ranked) + pass->bias[pass->ranked.from];
    if (margin > pass->worst_margin) {
        pass->worst_margin = margin;
        memcpy(pass->worst, row, sizeof pass->worst);
    }
}

/* From sums to margins, in place. */
static void divide(const Pass *pass, double *row, Span model)
{
    double divisor = root(row, model);
    for (Py_ssize_t column = model.from; column < model.mass; column++)
        row[column] = row[column] / divisor + pass->bias[column];
}

/* From margins to shares that sum to 1, in place; the greatest one's index. */
static Py_ssize_t share_out(double *margins, Py_ssize_t count, double temperature)
{
    Py_ssize_t top = 0;
    double total = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        margins[i] /= temperature;
        if (margins[i] > margins[top])
            top = i;
    }
    double most = margins[top];
    for (Py_ssize_t i = 0; i < count; i++)
        total += margins[i] = exp(margins[i] - most);
    for (Py_ssize_t i = 0; i < count; i++)
        margins[i] /= total;
    return top;
}

static int is_text(PyObject *pieces)
{
    int sound = PyList_Check(pieces) && PyList_GET_SIZE(pieces) > 0;
    for (Py_ssize_t i = 0; sound && i < PyList_GET_SIZE(pieces); i++) {
        PyObject *piece = PyList_GET_ITEM(pieces, i);
        sound = PyUnicode_Check(piece) && IS_READY(piece) && PyUnicode_GET_LENGTH(piece) <= SEGMENT;
    }
    return sound;
}

/* Nothing here runs Python code, so the lists stay as they were checked. */
static void read_texts(Pass *pass, PyObject *texts)
{
    pass->worst_margin = -INFINITY;
    memset(pass->worst, 0, sizeof pass->worst);
    for (Py_ssize_t t = 0; t < PyList_GET_SIZE(texts); t++) {
        PyObject *pieces = PyList_GET_ITEM(texts, t);
        memset(pass->whole, 0, sizeof pass->whole);
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(pieces); i++) {
            add_segment(pass, PyList_GET_ITEM(pieces, i));
            rank(pass, pass->piece);
            for (Py_ssize_t column = 0; column < pass->columns; column++)
                pass->whole[column] += pass->piece[column];
        }
        rank(pass, pass->whole);
        if (t == 0)
            memcpy(pass->latest, pass->whole, sizeof pass->latest);
    }
}

static PyObject *results(Pass *pass)
{
    Py_ssize_t width = (Py_ssize_t)sizeof(double), labels = pass->shared.mass - pass->shared.from;
    double *worst = pass->worst + pass->ranked.from, *shares = pass->latest + pass->shared.from;
    divide(pass, pass->worst, pass->ranked);
    divide(pass, pass->latest, pass->shared);
    Py_ssize_t top = share_out(shares, labels, pass->temperature);
    return Py_BuildValue("dy#ndy#", worst[0], worst, (pass->ranked.mass - pass->ranked.from) * width, top, shares[top],
                         shares, labels * width);
}

static int prepare(Pass *pass, const Py_buffer *table, const Py_buffer *letters, const Py_buffer *constants,
                   Py_ssize_t ranked, Py_ssize_t shared)
{
    Py_ssize_t columns = table->len >> BITS, row = columns * (Py_ssize_t)sizeof(double);
    if (columns < BLOCK || columns > MAX_COLUMNS || columns % BLOCK || table->len != columns << BITS
        || letters->len != PLANE * 4 || (uintptr_t)letters->buf % 4 || constants->len != 2 * row
        || ranked < 2 || ranked > columns || shared < 2 || shared > columns - ranked)
        return 0;
    pass->table = table->buf;
    pass->letters = letters->buf;
    if (pass->letters[BOUNDARY] >> 16 != SINGLE)    /* or a window would reach past it */
        return 0;
    memcpy(pass->scale, constants->buf, (size_t)row);
    memcpy(pass->bias, (const char *)constants->buf + row, (size_t)row);
    pass->columns = columns;
    pass->ranked = (Span){0, ranked - 1};
    pass->shared = (Span){ranked, ranked + shared - 1};
    return 1;
}

PyDoc_STRVAR(score_doc,
"score(table, letters, constants, ranked, shared, temperature, texts)\n\n"
"`kernel.Scores` of `texts`, a list of lists of normalised pieces, as a plain tuple. `table`: 2**BITS rows of int8,\n"
"`letters`: `features.LETTERS`, `constants`: a double for each column's scale, then one for its bias; `ranked` and\n"
"`shared`: the columns of the two models, mass included.");

static PyObject *score(PyObject *self, PyObject *args)
{
    Py_buffer table, letters, constants;
    Py_ssize_t ranked, shared;
    PyObject *texts, *result = NULL;
    Pass pass;
    if (!PyArg_ParseTuple(args, "y*y*y*nndO!", &table, &letters, &constants, &ranked, &shared, &pass.temperature,
                          &PyList_Type, &texts))
        return NULL;
    int sound = prepare(&pass, &table, &letters, &constants, ranked, shared) && PyList_GET_SIZE(texts) > 0;
    for (Py_ssize_t t = 0; sound && t < PyList_GET_SIZE(texts); t++)
        sound = is_text(PyList_GET_ITEM(texts, t));
    if (sound) {
        read_texts(&pass, texts);
        result = results(&pass);
    } else {
        PyErr_SetString(PyExc_ValueError, "arguments that do not fit together");
    }
    PyBuffer_Release(&table);
    PyBuffer_Release(&letters);
    PyBuffer_Release(&constants);
    return result;
}

static PyMethodDef methods[] = {{"score", score, METH_VARARGS, score_doc}, {NULL, NULL, 0, NULL}};

static int fill(PyObject *self)
{
    power[0] = FIRST;
    inverse[0] = 1;
    for (int i = 1; i < LENGTH; i++) {
        power[i] = power[i - 1] * BASE;
        inverse[i] = inverse[i - 1] * INVERSE;
    }
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill}, {0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "classifiers._kernel", .m_size = 0, .m_methods = methods, .m_slots = slots,
};

PyMODINIT_FUNC PyInit__kernel(void)
{
    return PyModuleDef_Init(&module);
}

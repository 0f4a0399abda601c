// Guests of wasmiot, one for each macro, with WASI's functions alone: neither constructors nor a C library
// are needed, since other supervisors call neither.
typedef unsigned char u8;
typedef unsigned u32;
typedef long long i64;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))

typedef struct { u8 *data; u32 size; } Piece;

WASI(path_open) u32 path_open(u32, u32, const char *, u32, u32, u64, u64, u32, u32 *);
WASI(fd_read) u32 fd_read(u32, Piece *, u32, u32 *);
WASI(fd_write) u32 fd_write(u32, Piece *, u32, u32 *);
WASI(fd_close) u32 fd_close(u32);

static u8 buffer[1 << 20];

static u32 length(const char *text) {
    u32 count = 0;
    while (text[count]) count++;
    return count;
}

// Reads a file of the folder into the buffer; returns the count of its bytes.
static u32 load(const char *name) {
    u32 file, size = 0, count;
    if (path_open(3, 0, name, length(name), 0, 2, 0, 0, &file)) __builtin_trap();
    do {
        Piece piece = {buffer + size, sizeof buffer - size};
        if (fd_read(file, &piece, 1, &count)) __builtin_trap();
        size += count;
    } while (count);
    fd_close(file);
    return size;
}

static void store(const char *name, u32 size) {
    u32 file, at = 0, count;
    if (path_open(3, 0, name, length(name), 1 | 8, 64, 0, 0, &file)) __builtin_trap();
    while (at < size) {
        Piece piece = {buffer + at, size - at};
        if (fd_write(file, &piece, 1, &count)) __builtin_trap();
        at += count;
    }
    fd_close(file);
}

#ifdef FIBO
EXPORT(fibo) i64 fibo(i64 n) {
    i64 a = 1, b = 1;
    while (n-- > 0) { i64 next = a + b; a = b; b = next; }
    return a;
}
#endif

#ifdef STATE
static i64 before = 0, now = 1;

EXPORT(stateful_fibo) i64 stateful_fibo(void) {
    i64 next = before + now;
    before = now;
    now = next;
    return before;
}

EXPORT(fail) i64 fail(void) { __builtin_trap(); }

__attribute__((import_module("sys"), import_name("delay"))) void delay(int);

EXPORT(slow) i64 slow(void) {
    delay(300);
    return 7;
}
#endif

#ifdef CAMERA
__attribute__((import_module("camera"), import_name("takeImageStaticSize")))
void take_image(u8 *, u32 *);

EXPORT(take_image_predefined_path) void take_image_predefined_path(void) {
    u32 size = 4096;
    take_image(buffer, &size);
    store("image.jpeg", 4096);
}
#endif

#ifdef ENERGY
// The sum of the last column in the lines from..<to.
EXPORT(consumed_energy) double consumed_energy(i64 from, i64 to) {
    u32 size = load("data");
    double sum = 0, value = 0, scale = 0;
    i64 line = 0;
    for (u32 at = 0; at < size; at++) {
        u8 c = buffer[at];
        if (c == ';') { value = 0; scale = 0; }
        else if (c == '.') scale = 1;
        else if (c >= '0' && c <= '9') { value = value * 10 + (c - '0'); scale *= 10; }
        else if (c == '\n') {
            if (line > 0 && line >= from && line < to) sum += scale ? value / scale : value;
            line++; value = 0; scale = 0;
        }
    }
    return sum;
}
#endif

#ifdef FILES
// Each byte of the file INPUT is changed and written to the file OUTPUT.
EXPORT(change) void change(void) {
    u32 size = load(INPUT);
    for (u32 at = 0; at < size; at++) buffer[at] = buffer[at] * 3 + at % 7;
    store(OUTPUT, size);
}
#endif

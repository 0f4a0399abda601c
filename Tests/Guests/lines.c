// Traps in a function whose body the compiler puts into another: a backtrace names both, with lines.
// The branch that is not taken, and the function that nobody calls, are seen by coverage.

static volatile int limit = 3;
volatile int result;

__attribute__((always_inline)) static inline int check(int value) {
    if (value > limit)
        __builtin_trap();
    return value + 1;
}

__attribute__((noinline)) static int count(int rounds) {
    int sum = 0;
    for (int round = 0; round < rounds; round++) {
        if (round > limit + 100)
            sum += 1000 * limit;
        sum += check(round);
    }
    return sum;
}

__attribute__((noinline, export_name("unused"))) int unused(int value) {
    return value * limit;
}

void _start(void) {
    result = count(3);
    result += count(100);
}

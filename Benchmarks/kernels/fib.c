// Calls and little else: Fibonacci numbers by the naive recursion.

#include <stdio.h>

static unsigned __attribute__((noinline)) fib(unsigned n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int main(void) {
    volatile unsigned n = 36;
    printf("fib %u\n", fib(n));
}

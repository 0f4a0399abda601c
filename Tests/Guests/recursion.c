// Recursion: deep but finite, then without end, which must trap and not harm the host.

#include <stdio.h>

// Read after each call, so that no compiler makes a loop of it.
static volatile unsigned one = 1;

// Nothing here needs memory: it is the host's stack of calls that runs out.
__attribute__((noinline)) static unsigned sum(unsigned n) {
    return n == 0 ? 0 : sum(n - 1) + n * one;
}

__attribute__((noinline)) static unsigned endless(unsigned n) {
    return endless(n + 1) + n * one;
}

int main(void) {
    printf("sum %u\n", sum(2000));
    fflush(stdout);
    printf("endless %u\n", endless(0));
    return 0;
}

// Byte stores with a stride and a scan: the sieve of Eratosthenes.

#include <stdio.h>
#include <string.h>

enum { limit = 5000000, rounds = 3 };

static unsigned char isComposite[limit];

int main(void) {
    unsigned count = 0, sum = 0;
    for (int round = 0; round < rounds; round++) {
        memset(isComposite, 0, limit);
        for (unsigned i = 2; i < limit; i++) {
            if (isComposite[i]) continue;
            count++;
            sum = sum * 31 + i;
            if (i > limit / i) continue;
            for (unsigned j = i * i; j < limit; j += i) isComposite[j] = 1;
        }
    }
    printf("sieve %u %08x\n", count, sum);
}

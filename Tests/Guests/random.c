// Random numbers: nothing of them can be printed but that they look random.

#include "report.h"

#include <unistd.h>
#include <wasi/api.h>

int main(void) {
    static unsigned char first[4096], second[4096];
    report("random_get", __wasi_random_get(first, sizeof first));
    report("random_get", __wasi_random_get(second, sizeof second));
    check("they differ", memcmp(first, second, sizeof first) != 0);
    int isSeen[256] = {0}, distinct = 0, ones = 0;
    for (unsigned i = 0; i < sizeof first; i++) {
        distinct += !isSeen[first[i]]++;
        ones += __builtin_popcount(first[i]);
    }
    check("nearly all bytes occur", distinct > 240);
    check("about half the bits are set", ones > 15800 && ones < 16970);
    report("random_get of nothing", __wasi_random_get(first, 0));
    report("getentropy", getentropy(first, 256));
    report("getentropy, too much", getentropy(first, 257));
    return 0;
}

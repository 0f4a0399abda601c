// 64-bit multiplication and scattered loads: a hash map with open addressing, 64-bit keys.

#include <stdint.h>
#include <stdio.h>

enum { bits = 18, capacity = 1 << bits, mask = capacity - 1 };
enum { keyCount = 120000, operations = 9000000 };

static uint64_t keys[capacity], values[capacity];
static unsigned used;

static unsigned slot(uint64_t key) {
    unsigned index = (unsigned)(key * 0x9E3779B97F4A7C15u >> (64 - bits));
    while (keys[index] != 0 && keys[index] != key) index = (index + 1) & mask;
    return index;
}

int main(void) {
    uint64_t random = 0x123456789ABCDEFu, found = 0;
    for (unsigned i = 0; i < operations; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        uint64_t key = (random >> 20) % keyCount * 0x100000001B3u + 1;
        unsigned index = slot(key);
        if (random & 3) {
            if (keys[index]) found += values[index];
        } else {
            used += keys[index] == 0;
            keys[index] = key;
            values[index] += random >> 40;
        }
    }
    printf("hashmap %u %016llx\n", used, (unsigned long long)found);
}

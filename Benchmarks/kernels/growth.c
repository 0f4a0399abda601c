// Memory growth: a log of records that takes more memory a page at a time, and one large step.

#include <stdint.h>
#include <stdio.h>

enum { pageSize = 65536, steps = 1200 };

int main(void) {
    uint32_t sum = 0, records = 0;
    for (int step = 0; step < steps; step++) {
        uint32_t page = (uint32_t)__builtin_wasm_memory_grow(0, 1);
        if (page == UINT32_MAX) return 1;
        uint32_t *words = (uint32_t *)(uintptr_t)(page * pageSize);
        for (int pass = 0; pass < 6; pass++)
            for (uint32_t i = 0; i < pageSize / 4; i += 4) {
                words[i] = records++;
                words[i + 1] = sum;
                sum += words[i] ^ words[i + 2];
            }
        sum += (uint32_t)__builtin_wasm_memory_size(0);
    }
    uint32_t last = (uint32_t)__builtin_wasm_memory_grow(0, 1000);
    printf("growth %u %08x %u\n", records, sum, last);
}

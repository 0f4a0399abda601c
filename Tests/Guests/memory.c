// Memory that grows, page by page, up to the 4 MiB the build allows, and no further.

#include "report.h"

#include <stdlib.h>

int main(void) {
    size_t pageSize = 65536, pages = __builtin_wasm_memory_size(0);
    report("grow by nothing", (long)__builtin_wasm_memory_grow(0, 0) - (long)pages);
    report("grow by one", (long)__builtin_wasm_memory_grow(0, 1) - (long)pages);
    report("pages more", (long)__builtin_wasm_memory_size(0) - (long)pages);

    // New memory is zero and can be written to its last byte.
    volatile unsigned char *page = (unsigned char *)(pages * pageSize);
    unsigned sum = 0;
    for (size_t i = 0; i < pageSize; i++) sum += page[i];
    check("the new page is zero", sum == 0);
    page[pageSize - 1] = 42;
    check("its last byte can be written", page[pageSize - 1] == 42);

    size_t size = __builtin_wasm_memory_size(0);
    check("growing too far fails", __builtin_wasm_memory_grow(0, 64 - size + 1) == (size_t)-1);
    check("growing by all there is fails", __builtin_wasm_memory_grow(0, 65536) == (size_t)-1);
    check("the size is unchanged", __builtin_wasm_memory_size(0) == size);

    void *blocks[64];
    int count = 0;
    while (count < 64 && (blocks[count] = malloc(100000))) {
        memset(blocks[count], count + 1, 100000);
        count++;
    }
    check("allocated some, not all", count > 20 && count < 64);
    int isIntact = 1;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 100000; k += 999) isIntact &= ((unsigned char *)blocks[i])[k] == i + 1;
    check("the blocks are intact", isIntact);
    check("the memory is within 64 pages", __builtin_wasm_memory_size(0) <= 64);
    return 0;
}

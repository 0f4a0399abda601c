// The heap that Embedded Swift asks for. It only ever grows: the program ends before that matters.

#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 65536

static uintptr_t top, end;

int posix_memalign(void **result, size_t alignment, size_t size) {
    uintptr_t start = (top + alignment - 1) & -alignment;
    if (start + size > end) {
        size_t pages = (size + alignment) / PAGE_SIZE + 1;
        uintptr_t oldEnd = __builtin_wasm_memory_size(0) * PAGE_SIZE;
        if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) return 12;
        if (oldEnd != end) start = (oldEnd + alignment - 1) & -alignment;
        end = oldEnd + pages * PAGE_SIZE;
    }
    top = start + size;
    *result = (void *)start;
    return 0;
}

void free(void *pointer) {
    (void)pointer;
}

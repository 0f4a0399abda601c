/* The heap that Embedded Swift asks for: blocks of powers of two, with a list of free ones for each
 * size. It is part of the memory of an object, so it survives with it. */

#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 65536

typedef struct block { size_t class; struct block *next; size_t pad[2]; } block;

static block *free_blocks[32];
static uintptr_t top, end;

int posix_memalign(void **result, size_t alignment, size_t size) {
    if (alignment > sizeof(block) || size > (1u << 30)) return 12;
    size_t class = 5;
    while (((size_t)1 << class) < size + sizeof(block)) class++;
    block *found = free_blocks[class];
    if (found) {
        free_blocks[class] = found->next;
    } else {
        size_t whole = (size_t)1 << class;
        if (!end) {
            top = end = __builtin_wasm_memory_size(0) * PAGE_SIZE;
        }
        if (whole > end - top) {
            size_t pages = (whole - (end - top) + PAGE_SIZE - 1) / PAGE_SIZE;
            if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) return 12;
            end += pages * PAGE_SIZE;
        }
        found = (block *)top;
        top += whole;
    }
    found->class = class;
    *result = found + 1;
    return 0;
}

void free(void *pointer) {
    if (!pointer) return;
    block *freed = (block *)pointer - 1;
    freed->next = free_blocks[freed->class];
    free_blocks[freed->class] = freed;
}

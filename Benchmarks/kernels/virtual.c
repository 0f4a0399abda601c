// Indirect calls: shapes with methods in tables, in unpredictable order.

#include <stdint.h>
#include <stdio.h>

enum { count = 512, rounds = 30000 };

typedef struct shape shape;
typedef struct {
    uint32_t (*area)(const shape *);
    void (*grow)(shape *, uint32_t);
} methods;
struct shape { const methods *methods; uint32_t a, b; };

static uint32_t squareArea(const shape *s) { return s->a * s->a; }
static uint32_t boxArea(const shape *s) { return s->a * s->b; }
static uint32_t triangleArea(const shape *s) { return s->a * s->b / 2; }
static uint32_t ringArea(const shape *s) { return 3 * (s->a * s->a - s->b * s->b); }
static void growBoth(shape *s, uint32_t by) { s->a += by, s->b += by; }
static void growFirst(shape *s, uint32_t by) { s->a += by; }

static const methods kinds[] = {
    {squareArea, growFirst}, {boxArea, growBoth}, {triangleArea, growFirst}, {ringArea, growBoth},
};
static shape shapes[count];

int main(void) {
    uint32_t random = 7, sum = 0;
    for (int i = 0; i < count; i++) {
        random = random * 1664525 + 1013904223;
        shapes[i] = (shape){&kinds[random >> 30], 1 + (random >> 8) % 50, random >> 12 & 15};
    }
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < count; i++) {
            shape *each = &shapes[i];
            sum += each->methods->area(each);
            if ((sum & 3) == 0) each->methods->grow(each, 1);
        }
    printf("virtual %08x\n", sum);
}

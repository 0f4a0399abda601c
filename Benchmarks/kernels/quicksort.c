// Comparisons, swaps and unpredictable branches: quicksort of 32-bit integers.

#include <stdint.h>
#include <stdio.h>

enum { count = 1500000 };

static int32_t numbers[count];

static void sort(int32_t *low, int32_t *high) {
    while (high - low > 12) {
        int32_t pivot = low[(high - low) / 2], *left = low, *right = high;
        while (left <= right) {
            while (*left < pivot) left++;
            while (*right > pivot) right--;
            if (left > right) break;
            int32_t swapped = *left;
            *left++ = *right;
            *right-- = swapped;
        }
        if (right - low < high - left) {
            sort(low, right);
            low = left;
        } else {
            sort(left, high);
            high = right;
        }
    }
    for (int32_t *next = low + 1; next <= high; next++) {
        int32_t value = *next, *hole = next;
        for (; hole > low && hole[-1] > value; hole--) *hole = hole[-1];
        *hole = value;
    }
}

int main(void) {
    uint32_t random = 12345;
    for (int i = 0; i < count; i++) {
        random = random * 1664525 + 1013904223;
        numbers[i] = (int32_t)(random ^ random >> 13);
    }
    sort(numbers, numbers + count - 1);
    uint32_t checksum = 0, inversions = 0;
    for (int i = 0; i < count; i++) {
        checksum = checksum * 31 + (uint32_t)numbers[i];
        inversions += i > 0 && numbers[i - 1] > numbers[i];
    }
    printf("quicksort %08x %u\n", checksum, inversions);
}

// Writes and reads a picture with libpng, in memory: filters, deflate, inflate, unfilter.
#include "corpus.h"
#include <math.h>
#include <png.h>

int main(int argc, char **argv) {
    uint32_t side = 128 * (uint32_t)(argc > 1 ? atoi(argv[1]) : 1);
    png_image image = {.version = PNG_IMAGE_VERSION, .width = side, .height = side, .format = PNG_FORMAT_RGBA};
    size_t size = PNG_IMAGE_SIZE(image);
    unsigned char *pixels = malloc(size), *packed = malloc(size * 2), *back = malloc(size);
    for (uint32_t y = 0; y < side; y++)
        for (uint32_t x = 0; x < side; x++) {
            unsigned char *p = pixels + 4 * (y * side + x);
            p[0] = (unsigned char)(x + y);
            p[1] = (unsigned char)(127 + 100 * sin(x * 0.03) * cos(y * 0.05));
            p[2] = (unsigned char)((x ^ y) & 0xf0);
            p[3] = (unsigned char)(255 - corpus_random(8));
        }
    png_alloc_size_t packed_size = size * 2;
    if (!png_image_write_to_memory(&image, packed, &packed_size, 0, pixels, 0, NULL))
        return 1;
    png_image again = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_memory(&again, packed, packed_size))
        return 1;
    again.format = PNG_FORMAT_RGBA;
    if (!png_image_finish_read(&again, NULL, back, 0, NULL))
        return 1;
    return report(pixels, size, packed, packed_size, back);
}

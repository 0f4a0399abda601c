/* Two steps of an image pipeline as a module of wasmiot: each reads a file of its folder and writes
   another. Images are binary PPM (P6) and PGM (P5) with 8 bits a sample.

       grey     photo.ppm -> grey.pgm        what a camera gives, as shades of grey
       edges    grey.pgm  -> edges.pgm       where neighbours differ

   Both return 0, or a number that says what is wrong. `Examples/Wasmiot/build` makes image.wasm. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define LIMIT 8192

struct image {
    int width, height, samples;
    uint8_t *bytes;
};

/* A number of the header: comments and white space before it are passed over. */
static int number(FILE *file) {
    int byte = getc(file);
    while (byte == '#' || byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r') {
        if (byte == '#')
            while (byte != '\n' && byte != EOF) byte = getc(file);
        byte = getc(file);
    }
    int value = 0;
    if (byte < '0' || byte > '9') return -1;
    for (; byte >= '0' && byte <= '9'; byte = getc(file)) {
        value = value * 10 + byte - '0';
        if (value > LIMIT) return -1;
    }
    return value;
}

static int read_image(const char *path, char kind, struct image *image) {
    FILE *file = fopen(path, "rb");
    if (!file) return 1;
    int fault = 2;
    image->bytes = NULL;
    image->samples = kind == '6' ? 3 : 1;
    if (getc(file) == 'P' && getc(file) == kind) {
        image->width = number(file);
        image->height = number(file);
        int most = number(file);
        if (image->width > 0 && image->height > 0 && most == 255) {
            size_t size = (size_t)image->width * image->height * image->samples;
            image->bytes = malloc(size);
            fault = image->bytes && fread(image->bytes, 1, size, file) == size ? 0 : 3;
        }
    }
    fclose(file);
    if (fault) free(image->bytes);
    return fault;
}

static int write_grey(const char *path, int width, int height, const uint8_t *bytes) {
    FILE *file = fopen(path, "wb");
    if (!file) return 4;
    size_t size = (size_t)width * height;
    fprintf(file, "P5\n%d %d\n255\n", width, height);
    int fault = fwrite(bytes, 1, size, file) == size ? 0 : 5;
    if (fclose(file)) fault = 5;
    return fault;
}

__attribute__((export_name("grey"))) int grey(void) {
    struct image photo;
    int fault = read_image("photo.ppm", '6', &photo);
    if (fault) return fault;
    size_t count = (size_t)photo.width * photo.height;
    for (size_t index = 0; index < count; index++) {
        const uint8_t *pixel = photo.bytes + index * 3;
        photo.bytes[index] = (pixel[0] * 77 + pixel[1] * 151 + pixel[2] * 28) >> 8;
    }
    fault = write_grey("grey.pgm", photo.width, photo.height, photo.bytes);
    free(photo.bytes);
    return fault;
}

__attribute__((export_name("edges"))) int edges(void) {
    struct image image;
    int fault = read_image("grey.pgm", '5', &image);
    if (fault) return fault;
    int width = image.width, height = image.height;
    uint8_t *result = calloc((size_t)width * height, 1);
    if (result) {
        for (int y = 0; y + 1 < height; y++)
            for (int x = 0; x + 1 < width; x++) {
                const uint8_t *here = image.bytes + (size_t)y * width + x;
                int slope = abs(here[1] - here[0]) + abs(here[width] - here[0]);
                result[(size_t)y * width + x] = slope > 255 ? 255 : slope;
            }
        fault = write_grey("edges.pgm", width, height, result);
        free(result);
    } else {
        fault = 6;
    }
    free(image.bytes);
    return fault;
}

// f32 arithmetic, comparisons and conversions: the distance of rays from spheres.

#include <math.h>
#include <stdio.h>

enum { side = 220, sphereCount = 40, frames = 12 };

typedef struct { float x, y, z; } vector;

static struct { vector centre; float radius; } spheres[sphereCount];

static float dot(vector a, vector b) { return a.x * b.x + a.y * b.y + a.z * b.z; }

static float hit(vector direction, float nearest, float time) {
    for (int i = 0; i < sphereCount; i++) {
        vector centre = spheres[i].centre;
        centre.y += time * spheres[i].radius;
        float along = dot(centre, direction);
        float discriminant = along * along - dot(centre, centre) + spheres[i].radius * spheres[i].radius;
        if (discriminant < 0) continue;
        float distance = along - sqrtf(discriminant);
        if (distance > 0.01f && distance < nearest) nearest = distance;
    }
    return nearest;
}

int main(void) {
    for (int i = 0; i < sphereCount; i++) {
        spheres[i].centre = (vector){(float)(i % 7) - 3, (float)(i % 5) - 2, 4 + (float)(i % 11)};
        spheres[i].radius = 0.3f + (float)(i % 4) * 0.2f;
    }
    unsigned sum = 0;
    for (int frame = 0; frame < frames; frame++)
        for (int y = 0; y < side; y++)
            for (int x = 0; x < side; x++) {
                vector direction = {(float)(2 * x - side) / side, (float)(2 * y - side) / side, 1};
                float scale = 1 / sqrtf(dot(direction, direction));
                direction = (vector){direction.x * scale, direction.y * scale, direction.z * scale};
                sum = sum * 31 + (unsigned)(hit(direction, 100, (float)frame * 0.25f) * 16);
            }
    printf("floats %08x\n", sum);
}

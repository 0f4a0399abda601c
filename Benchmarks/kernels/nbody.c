// f64 arithmetic with square roots and divisions: five bodies under gravity.

#include <math.h>
#include <stdio.h>

enum { count = 5, steps = 500000 };

typedef struct {
    double position[3], velocity[3], mass;
} Body;

static Body bodies[count];

static double energy(void) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
        const Body *body = &bodies[i];
        double speed = 0;
        for (int k = 0; k < 3; k++) speed += body->velocity[k] * body->velocity[k];
        sum += body->mass * speed / 2;
        for (int j = i + 1; j < count; j++) {
            double square = 0;
            for (int k = 0; k < 3; k++) {
                double difference = body->position[k] - bodies[j].position[k];
                square += difference * difference;
            }
            sum -= body->mass * bodies[j].mass / sqrt(square);
        }
    }
    return sum;
}

static void advance(double time) {
    for (int i = 0; i < count; i++) {
        Body *body = &bodies[i];
        for (int j = i + 1; j < count; j++) {
            Body *other = &bodies[j];
            double difference[3], square = 0;
            for (int k = 0; k < 3; k++) {
                difference[k] = body->position[k] - other->position[k];
                square += difference[k] * difference[k];
            }
            double factor = time / (square * sqrt(square));
            for (int k = 0; k < 3; k++) {
                body->velocity[k] -= difference[k] * other->mass * factor;
                other->velocity[k] += difference[k] * body->mass * factor;
            }
        }
    }
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 3; k++) bodies[i].position[k] += time * bodies[i].velocity[k];
}

int main(void) {
    // A heavy body in the middle, light ones on near-circles around it.
    bodies[0].mass = 40;
    for (int i = 1; i < count; i++) {
        double radius = 3 * i, speed = sqrt(40 / radius);
        bodies[i].mass = 0.01 * i;
        bodies[i].position[i % 2] = radius;
        bodies[i].position[2] = 0.1 * i;
        bodies[i].velocity[(i + 1) % 2] = i < 3 ? speed : -speed;
    }
    double before = energy();
    for (int step = 0; step < steps; step++) advance(0.001);
    printf("nbody %.9f %.9f\n", before, energy());
}

// Publishes made up measurements.

#include "../services.h"

#include <unistd.h>

static const char *const name = "Simulated Telemetry";

EXPORT("init") void init(char *path, size_t path_size) {
    struct text file = {path, path_size};
    int pause = atoi(setting(&file, "telemetry_interval_in_milliseconds"));
    LOG(name, "Initialising module with telemetry interval of '%d' ms", pause);
    for (;;) {
        uint32_t random[2];
        getentropy(random, sizeof random);
        char message[256];
        int size = snprintf(
            message, sizeof message,
            "{\"device Id\" : \"001\", \"temperature\" : %.2f, \"pressure\":%.2f}",
            random[0] % 10000 / 100.0, random[1] % 5000 / 100.0);
        host_publish("telemetry", strlen("telemetry"), message, (size_t)size);
        usleep((useconds_t)pause * 1000);
    }
}

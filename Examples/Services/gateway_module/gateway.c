// Takes messages of a topic and posts them to a server.

#include "../services.h"

#include <unistd.h>

static const char *const name = "Data Egress Gateway";

EXPORT("init") void init(char *path, size_t path_size) {
    struct text file = {path, path_size};
    char *url = setting(&file, "http_post_url");
    int pause = atoi(setting(&file, "http_post_interval_in_milliseconds"));
    int wanted = atoi(setting(&file, "http_post_response_code"));
    char *topic = setting(&file, "topic");
    LOG(name,
        "Initialising module with http_post_url: %s, http_post_response_code: %d, "
        "http_post_interval_in_milliseconds: %d.",
        url, wanted, pause);
    for (int number = 1;; number++) {
        struct text message;
        host_read(topic, strlen(topic), &message);
        LOG(name, "Received message %.*s from pubsub.", (int)message.count, message.bytes);
        uint16_t status = 0;
        uint32_t response = 0;
        uint32_t error = request(
            "POST", url, "Content-Type:application/text\n", message.bytes, message.count, &status,
            &response);
        canonical_abi_free(message.bytes, message.count, 1);
        if (error) {
            fprintf(stderr, "Could not make post request: %u\n", error);
            abort();
        }
        LOG(name, "Message %d sent, http status returned: %d", number, status);
        if (number == 1) {
            char text[4096];
            uint32_t size = 0;
            if (http_headers_get_all(response, text, sizeof text, &size) == 0)
                LOG(name, "headers: %.*s", (int)size, text);
            if (http_body_read(response, text, sizeof text, &size) == 0)
                LOG(name, "body: %.*s", (int)size, text);
        }
        http_close(response);
        if (status != wanted) abort();
        usleep((useconds_t)pause * 1000);
    }
}

// A server of messages by topic: one read of a connection is one command, `TOPIC MESSAGE` or
// `read TOPIC`.

#include "../services.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const name = "Psuedo Pub-Sub Messaging";

struct message {
    struct message *next;
    char *text;
};

struct topic {
    char *name;
    struct message *first, **last;
};

static struct topic topics[32];
static int topic_count;

static struct topic *find(const char *word) {
    for (int i = 0; i < topic_count; i++)
        if (strcmp(topics[i].name, word) == 0) return &topics[i];
    return NULL;
}

static void handle(int connection, char *command) {
    char *space = strchr(command, ' ');
    // The original's server ends here as well.
    if (!space) abort();
    *space = 0;
    char *rest = space + 1;
    while (*rest == ' ') rest++;
    for (size_t size = strlen(rest); size > 0 && strchr(" \r\n", rest[size - 1]); size--)
        rest[size - 1] = 0;
    if (strcmp(command, "read") == 0) {
        struct topic *topic = find(rest);
        if (!topic) return;
        struct message *oldest = topic->first;
        char answer[4096];
        int size = snprintf(answer, sizeof answer, "%s %s", rest, oldest ? oldest->text : "empty");
        if (oldest) {
            topic->first = oldest->next;
            if (!topic->first) topic->last = &topic->first;
            free(oldest->text);
            free(oldest);
        }
        write(connection, answer, (size_t)size);
        return;
    }
    struct topic *topic = find(command);
    if (!topic) return;
    struct message *made = malloc(sizeof *made);
    made->next = NULL;
    made->text = strdup(rest);
    *topic->last = made;
    topic->last = &made->next;
}

EXPORT("init") void init(char *path, size_t path_size, uint32_t listener) {
    struct text file = {path, path_size};
    int buffer_size = atoi(setting(&file, "data_read_buffer_size"));
    char *words = setting(&file, "topics");
    LOG(name, "Initialising module with: file descriptor: '%u', read buffer size: '%d'", listener,
        buffer_size);
    for (char *word = strtok(words, " "); word && topic_count < 32; word = strtok(NULL, " ")) {
        topics[topic_count].name = word;
        topics[topic_count].last = &topics[topic_count].first;
        topic_count++;
    }
    struct pollfd polled[64] = {{.fd = (int)listener, .events = POLLIN}};
    int count = 1;
    char *buffer = malloc((size_t)buffer_size + 1);
    for (;;) {
        if (poll(polled, (nfds_t)count, -1) < 0) abort();
        for (int i = count - 1; i > 0; i--) {
            if (!polled[i].revents) continue;
            ssize_t size = read(polled[i].fd, buffer, (size_t)buffer_size);
            if (size <= 0) {
                close(polled[i].fd);
                polled[i] = polled[--count];
                continue;
            }
            buffer[size] = 0;
            handle(polled[i].fd, buffer);
        }
        if (polled[0].revents && count < 64) {
            int connection = accept((int)listener, NULL, NULL);
            if (connection >= 0) polled[count++] = (struct pollfd){connection, POLLIN, 0};
        }
    }
}

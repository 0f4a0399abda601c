// Calls the functions of wasi_experimental_http in all ways, and prints what they return.
//
//     wasmd run --allow-host http://127.0.0.1:9000 probe.wasm http://127.0.0.1:9000 [URL...]
//
// The server answers /get with the header x-test: yes and the body 123456. What follows are URLs that are
// requested, each with a line of its own.

#include "../services.h"

int main(int count, char **words) {
    if (count < 2) return 2;
    char url[1024], buffer[8192];
    uint16_t status = 0;
    uint32_t handle = 99, written = 0;
    snprintf(url, sizeof url, "%s/get", words[1]);
    uint32_t error = request("GET", url, "", NULL, 0, &status, &handle);
    printf("get=%u status=%u handle=%u\n", error, status, handle);
    if (error) return 1;
    error = http_header_get(handle, "X-Test", 6, buffer, sizeof buffer, &written);
    printf("header=%u (%.*s)\n", error, (int)written, buffer);
    printf("header missing=%u\n", http_header_get(handle, "x-no", 4, buffer, 100, &written));
    printf("header small=%u\n", http_header_get(handle, "x-test", 6, buffer, 2, &written));
    printf("header exact=%u\n", http_header_get(handle, "x-test", 6, buffer, 3, &written));
    printf("header handle=%u\n", http_header_get(77, "x-test", 6, buffer, 100, &written));
    printf("header name=%u\n", http_header_get(handle, "\xff", 1, buffer, 100, &written));
    printf("header memory=%u\n", http_header_get(handle, (char *)-1, 6, buffer, 100, &written));
    printf("header out=%u\n", http_header_get(handle, "x-test", 6, (char *)-1, 100, &written));
    printf("all small=%u\n", http_headers_get_all(handle, buffer, 3, &written));
    printf("all=%u\n", http_headers_get_all(handle, buffer, sizeof buffer, &written));
    for (int i = 0; i < 3; i++) {
        error = http_body_read(handle, buffer, 4, &written);
        printf("body=%u \"%.*s\"\n", error, (int)written, buffer);
    }
    printf("body handle=%u\n", http_body_read(77, buffer, 4, &written));
    printf("close=%u\n", http_close(handle));
    printf("close unknown=%u\n", http_close(1234));
    printf("header closed=%u\n", http_header_get(handle, "x-test", 6, buffer, 100, &written));
    printf("not allowed=%u\n", request("GET", "http://evil.example/", "", 0, 0, &status, &handle));
    printf("method=%u\n", request("A B", url, "", NULL, 0, &status, &handle));
    printf("method empty=%u\n", request("", url, "", NULL, 0, &status, &handle));
    printf("url=%u\n", request("GET", "nonsense", "", NULL, 0, &status, &handle));
    printf("headers=%u\n", request("GET", url, "no colon", NULL, 0, &status, &handle));
    printf("header name=%u\n", request("GET", url, "a b:c\n", NULL, 0, &status, &handle));
    printf("utf8=%u\n", http_req("\xff", 1, "GET", 3, "", 0, 0, 0, &status, &handle));
    printf("memory=%u\n", http_req((char *)-1, 9, "GET", 3, "", 0, 0, 0, &status, &handle));
    printf("out=%u\n", http_req(
        url, strlen(url), "GET", 3, "", 0, 0, 0, (uint16_t *)-1, &handle));
    for (int i = 2; i < count; i++) {
        error = request("GET", words[i], "Host:evil.example\nX-A:1\nX-A: 2\n", 0, 0, &status, &handle);
        printf("%s=%u", words[i], error);
        if (error == 0) {
            http_body_read(handle, buffer, sizeof buffer, &written);
            printf(" status=%u handle=%u body=%.*s", status, handle, (int)written, buffer);
            http_close(handle);
        }
        printf("\n");
    }
    request("BREW", url, "", "coffee", 6, &status, &handle);
    http_close(handle);
    request("put", url, "", "", 0, &status, &handle);
    http_close(handle);
    int open = 0;
    while (open < 100 && (error = request("GET", url, "", NULL, 0, &status, &handle)) == 0) open++;
    printf("%d open responses, then %u\n", open, error);
    printf("full before memory=%u\n", http_req((char *)-1, 9, "G T", 3, "", 0, 0, 0, &status, &handle));
    return 0;
}

// A web page with a form. GET shows the form; POST reads what was sent, and greets.
//
//     wasmd serve Examples/Web        then http://127.0.0.1:8080/greeting
//
// A program of CGI (RFC 3875): the request is in the environment, the body is standard input, and
// what is printed is the response: header lines, an empty line, and the body.

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_LIMIT = 4096 };

static int digit(char c) {
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

// Resolves "+" and "%XX" in place.
static void decode(char *text) {
    char *out = text;
    for (char *in = text; *in; in++) {
        if (*in == '%' && isxdigit((unsigned char)in[1]) && isxdigit((unsigned char)in[2])) {
            *out++ = (char)(digit(in[1]) << 4 | digit(in[2]));
            in += 2;
        } else {
            *out++ = *in == '+' ? ' ' : *in;
        }
    }
    *out = 0;
}

// The value of a field of a form, decoded; empty if there is none. Changes the body.
static const char *field(char *body, const char *name) {
    size_t length = strlen(name);
    for (char *part = strtok(body, "&"); part; part = strtok(NULL, "&")) {
        if (strncmp(part, name, length) == 0 && part[length] == '=') {
            decode(part + length + 1);
            return part + length + 1;
        }
    }
    return "";
}

// Prints a text such that it is text in HTML, whatever somebody sent.
static void print_escaped(const char *text) {
    for (; *text; text++) {
        switch (*text) {
        case '&': fputs("&amp;", stdout); break;
        case '<': fputs("&lt;", stdout); break;
        case '>': fputs("&gt;", stdout); break;
        case '"': fputs("&quot;", stdout); break;
        default: putchar(*text);
        }
    }
}

int main(void) {
    static char body[BODY_LIMIT + 1];
    const char *method = getenv("REQUEST_METHOD");
    const char *name = "";

    if (method && strcmp(method, "POST") == 0) {
        body[fread(body, 1, BODY_LIMIT, stdin)] = 0;
        name = field(body, "name");
    } else if (!method || (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)) {
        puts("Status: 405 Method Not Allowed\nAllow: GET, HEAD, POST\nContent-Type: text/plain\n");
        puts("GET the form, or POST it.");
        return 0;
    }

    puts("Content-Type: text/html; charset=utf-8\n");
    puts("<!doctype html><title>Greeting</title><link rel=stylesheet href=/style.css>");
    if (*name) {
        fputs("<h1>Hello, ", stdout);
        print_escaped(name);
        puts("!</h1>");
    } else {
        puts("<h1>Who are you?</h1>");
    }
    puts("<form method=post><label>Name <input name=name autofocus></label> "
         "<button>Greet me</button></form>");
    return 0;
}

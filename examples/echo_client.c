/* SPDX-License-Identifier: Apache-2.0
 *
 * Sends each line of standard input, prints each answer. Usage: echo_client URL [ca.pem]
 */
#include <stdio.h>
#include <string.h>
#include <wring/wring.h>

#define ANSWER_MS 5000

static int talk(wring_client *client) {
    char line[4096];
    while (fgets(line, sizeof line, stdin) != NULL) {
        const wring_frame frame = wring_frame_text(wring_bytes_of(line, strcspn(line, "\n")));
        wring_message answer;
        const wring_result result = wring_client_ask(client, &frame, ANSWER_MS, &answer);
        if (result != WRING_OK) {
            fprintf(stderr, "echo_client: %s\n", wring_result_text(result));
            return 1;
        }
        printf("%.*s\n", (int)answer.payload.len, (const char *)answer.payload.data);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fputs("Usage: echo_client URL [ca.pem]\n", stderr);
        return 2;
    }
    const wring_tls_client_config tls = {.struct_size = sizeof tls,
                                         .ca_file = argc > 2 ? argv[2] : NULL};
    const wring_client_config config = {.struct_size = sizeof config, .tls = &tls};
    wring_pool *pool;
    wring_client *client = NULL;
    wring_error error;
    if (wring_pool_create(NULL, &pool, &error) != WRING_OK) {
        fprintf(stderr, "echo_client: %s\n", error.text);
        return 1;
    }
    int code = 1;
    if (wring_client_create(wring_pool_loop(pool), argv[1], &config, &client, &error) != WRING_OK ||
        wring_client_wait(client, ANSWER_MS, &error) != WRING_OK) {
        fprintf(stderr, "echo_client: %s\n", error.text);
    } else {
        code = talk(client);
    }
    wring_client_destroy(client);
    wring_pool_destroy(pool, 1000); /* closes with a handshake */
    return code;
}

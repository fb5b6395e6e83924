/* The peer of the geographic look-ups: libmaxminddb on the same addresses and the same two fields.
 *
 * geo_peer DATABASE ADDRESSES ROUNDS
 *
 * ADDRESSES holds 17 bytes for each: 4 or 6, then the address (of IPv4 the first four). Prints, for each round, the
 * nanoseconds of processor time per look-up, and at last how many bytes of text were found in a round. */
#include <arpa/inet.h>
#include <maxminddb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *COUNTRY[] = {"country", "iso_code", NULL};
static const char *CITY[] = {"city", "names", "en", NULL};

static unsigned long text(MMDB_entry_s *entry, const char *const *path) {
    MMDB_entry_data_s data;
    if (MMDB_aget_value(entry, &data, path) != MMDB_SUCCESS) return 0;
    return data.has_data && data.type == MMDB_DATA_TYPE_UTF8_STRING ? data.data_size : 0;
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    MMDB_s database;
    if (MMDB_open(argv[1], MMDB_MODE_MMAP, &database) != MMDB_SUCCESS) return 3;
    FILE *file = fopen(argv[2], "rb");
    if (file == NULL) return 4;
    fseek(file, 0, SEEK_END);
    long count = ftell(file) / 17;
    rewind(file);
    struct sockaddr_storage *all = calloc((size_t)count, sizeof *all);
    unsigned char raw[17];
    for (long n = 0; n < count; n++) {
        if (fread(raw, 1, 17, file) != 17) return 4;
        if (raw[0] == 4) {
            struct sockaddr_in *four = (struct sockaddr_in *)&all[n];
            four->sin_family = AF_INET;
            memcpy(&four->sin_addr, raw + 1, 4);
        } else {
            struct sockaddr_in6 *six = (struct sockaddr_in6 *)&all[n];
            six->sin6_family = AF_INET6;
            memcpy(&six->sin6_addr, raw + 1, 16);
        }
    }
    unsigned long found = 0;
    for (int round = 0; round < atoi(argv[3]); round++) {
        found = 0;
        double begun = now();
        for (long n = 0; n < count; n++) {
            int error = 0;
            MMDB_lookup_result_s result =
                MMDB_lookup_sockaddr(&database, (struct sockaddr *)&all[n], &error);
            if (error == MMDB_SUCCESS && result.found_entry) {
                found += text(&result.entry, COUNTRY) + text(&result.entry, CITY);
            }
        }
        printf("%f\n", (now() - begun) / (double)count);
    }
    printf("found %lu\n", found);
    return 0;
}

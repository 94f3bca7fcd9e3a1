/* Puts each file it is given, or that lies in a folder it is given, through the target once. What libFuzzer
 * found stays found on machines without clang. */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "fuzz.h"

static int count;

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t len = 0, got;

    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    do {
        data = realloc(data, len + 65536);
        got = fread(data + len, 1, 65536, file);
        len += got;
    } while (got);
    fclose(file);
    fprintf(stderr, "running %s\n", path); /* the last one before a crash is the culprit */
    data = realloc(data, len ? len : 1);
    LLVMFuzzerTestOneInput(data, len);
    free(data);
    count++;
    return 0;
}

static int replay_folder(DIR *folder, const char *path)
{
    int result = 0;

    for (struct dirent *entry; (entry = readdir(folder));) {
        char *inner;

        if (entry->d_name[0] == '.' || asprintf(&inner, "%s/%s", path, entry->d_name) < 0)
            continue;
        result |= replay_file(inner);
        free(inner);
    }
    closedir(folder);
    return result;
}

int main(int argc, char **argv)
{
    int result = 0;

    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);

        result |= folder ? replay_folder(folder, argv[i]) : replay_file(argv[i]);
    }
    printf("%d inputs\n", count);
    return result ? EXIT_FAILURE : EXIT_SUCCESS;
}

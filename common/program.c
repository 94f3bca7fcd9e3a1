#include "common/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/jconf.h"
#include "common/log.h"
#include "common/mem.h"

/* Started with one of the three closed, the next connection would get its number, and messages would be
 * written into it. The stand-in cannot be read or written, so that output still counts as lost. */
static void open_standard_files(void)
{
    for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++)
        if (fcntl(file, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", file == STDIN_FILENO ? O_WRONLY : O_RDONLY) != file)
            abort();
}

void program_begin(const char *name)
{
    open_standard_files();
    mem_insist();
    jconf_insist();
    log_init(name);
}

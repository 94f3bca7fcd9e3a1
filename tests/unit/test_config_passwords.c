/* cdc/config.h: passwords that stand in a file of their own */
#include "unit_config.h"

/* The example with a server object {member: address, "password_file": a file of this text}. */
static struct config *load_with_password(const char *server, const char *member, const char *address,
                                         const char *password)
{
    struct unit_file file = unit_file(password);
    char *value = mem_printf("{\"%s\": \"%s\", \"password_file\": \"%s\"}", member, address, file.path);
    struct config *config = load_changed(server, value);

    free(value);
    unit_file_close(&file);
    return config;
}

START_TEST(postgres_password_file)
{
    struct config *config = load_with_password("postgres", "conninfo", "host=db", "se cret\r\nsecond line\n");

    unit_assert_no_problem(&problems);
    ck_assert_str_eq(config->postgres, "host=db");
    ck_assert_str_eq(config->postgres_password, "se cret");
    config_free(config);
}
END_TEST

START_TEST(redis_password_file)
{
    struct config *config = load_with_password("redis", "url", "redis://me:old@host", "new");

    unit_assert_no_problem(&problems);
    ck_assert_str_eq(config->redis.addresses[0].host, "host");
    ck_assert_str_eq(config->redis.user, "me");
    ck_assert_str_eq(config->redis.password, "new");
    config_free(config);
}
END_TEST

START_TEST(empty_password_files)
{
    static const char *const empty[] = {"", "\n", "\r\nsecret\n"};

    for (size_t i = 0; i < ROWS(empty); i++) {
        ck_assert_ptr_null(load_with_password("redis", "url", "redis://host", empty[i]));
        unit_assert_problem(&problems, "redis.password_file", "empty");
        problems_free(&problems);
    }
}
END_TEST

/* The credentials of a unit are the files of a folder that systemd names. */
START_TEST(credentials)
{
    struct unit_file file = unit_file("from systemd\n");
    char *value = mem_printf(
        "{\"url\": \"redis://host\", \"password_file\": \"${CREDENTIALS_DIRECTORY}/%d\"}", file.fd);
    struct config *config;

    setenv("CREDENTIALS_DIRECTORY", "/proc/self/fd", 1);
    config = load_changed("redis", value);
    unit_assert_no_problem(&problems);
    ck_assert_str_eq(config->redis.password, "from systemd");
    config_free(config);
    free(value);
    unit_file_close(&file);
}
END_TEST

START_TEST(a_person_reads_what_credentials_are_made_from)
{
    unsetenv("CREDENTIALS_DIRECTORY");
    ck_assert_ptr_null(load_changed(
        "redis", "{\"url\": \"redis://host\", \"password_file\": \"${CREDENTIALS_DIRECTORY}/no such\"}"));
    unit_assert_problem(&problems, "redis.password_file", "/etc/pgusher/credentials/no such");
    problems_free(&problems);
}
END_TEST

UNIT_MAIN("config_passwords", UNIT(postgres_password_file), UNIT(redis_password_file),
          UNIT(empty_password_files), UNIT(credentials), UNIT(a_person_reads_what_credentials_are_made_from))

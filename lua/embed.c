/* embed.c - writes Lua files as the C table of src/bindings/embedded.h.
 *
 * Runs at build time:   embed OUTPUT.c [MODULE FILE]...
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_A_LINE = 24 };

static void fail(const char *path)
{
    fprintf(stderr, "embed: %s: %s\n", path, strerror(errno));
    exit(1);
}

static long write_bytes(FILE *out, const char *path)
{
    FILE *in = fopen(path, "rb");
    long size = 0;
    int c;
    if (!in)
        fail(path);
    while ((c = getc(in)) != EOF)
        fprintf(out, "%d,%s", c, ++size % BYTES_A_LINE ? "" : "\n");
    if (ferror(in))
        fail(path);
    fclose(in);
    return size;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc % 2 != 0) {
        fputs("usage: embed OUTPUT.c [MODULE FILE]...\n", stderr);
        return 2;
    }
    int count = (argc - 2) / 2;
    long *sizes = calloc((size_t)count + 1, sizeof *sizes);
    FILE *out = fopen(argv[1], "w");
    if (!sizes || !out)
        fail(argv[1]);
    fputs("#include \"bindings/embedded.h\"\n", out);
    for (int i = 0; i < count; i++) {
        fprintf(out, "\nstatic const unsigned char data_%d[] = {\n", i);
        sizes[i] = write_bytes(out, argv[3 + i * 2]);
        fputs("0};\n", out); /* a NUL behind the text, not counted: an empty file is an array too */
    }
    fputs("\nconst struct tide_embedded tide_embedded_modules[] = {\n", out);
    for (int i = 0; i < count; i++)
        fprintf(out, "    {\"%s\", data_%d, %ld},\n", argv[2 + i * 2], i, sizes[i]);
    fputs("    {0},\n};\n", out);
    free(sizes);
    if (ferror(out) || fclose(out) != 0)
        fail(argv[1]);
    return 0;
}

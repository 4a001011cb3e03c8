#include "base/item.h"

#include "base/alloc.h"
#include "base/list.h"

#include <string.h>

static void destroy(struct tide_message *message)
{
    tide_free(tide_container(message, struct tide_text, base));
}

struct tide_text *tide_text_new(const char *bytes, size_t length)
{
    if (length > SIZE_MAX - sizeof(struct tide_text))
        return NULL;
    struct tide_text *text = tide_malloc(sizeof *text + length);
    if (!text)
        return NULL;
    tide_message_init(&text->base, destroy, length < UINT32_MAX ? (uint32_t)length : UINT32_MAX);
    text->length = length;
    if (bytes && length)
        memcpy(text->bytes, bytes, length);
    return text;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The websockets that an operation waits for: each has a name, a secret and a client or none yet.
 */
#include "core/operation_sockets.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "util/error.h"

#define SECRET_BYTES 32

struct place {
	char *name;
	char secret[2 * SECRET_BYTES + 1];
	struct websocket *ws;
	void (*release)(struct websocket *ws);
};

struct operation_sockets {
	GMutex lock;
	GCond changed;
	GPtrArray *places;
};

static void place_free(void *data)
{
	struct place *place = data;

	if (place->ws)
		place->release(place->ws);
	g_free(place->name);
	g_free(place);
}

struct operation_sockets *operation_sockets_new(void)
{
	struct operation_sockets *sockets = g_new0(struct operation_sockets, 1);

	g_mutex_init(&sockets->lock);
	g_cond_init(&sockets->changed);
	sockets->places = g_ptr_array_new_with_free_func(place_free);
	return sockets;
}

void operation_sockets_free(struct operation_sockets *sockets)
{
	if (!sockets)
		return;
	g_ptr_array_unref(sockets->places);
	g_cond_clear(&sockets->changed);
	g_mutex_clear(&sockets->lock);
	g_free(sockets);
}

static void make_secret(char secret[2 * SECRET_BYTES + 1])
{
	unsigned char bytes[SECRET_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) /* whole below 256 bytes */
		g_error("getrandom: %s", g_strerror(errno));
	for (gsize i = 0; i < sizeof(bytes); i++)
		g_snprintf(secret + 2 * i, 3, "%02x", bytes[i]);
}

const char *operation_sockets_add(struct operation_sockets *sockets, const char *name)
{
	struct place *place = g_new0(struct place, 1);

	place->name = g_strdup(name);
	make_secret(place->secret);
	g_mutex_lock(&sockets->lock);
	g_ptr_array_add(sockets->places, place);
	g_mutex_unlock(&sockets->lock);
	return place->secret;
}

/* Takes as long for any wrong secret of the right length. */
static gboolean same_secret(const char *a, const char *b)
{
	unsigned char difference = 0;

	if (strlen(a) != strlen(b))
		return FALSE;
	for (; *a; a++, b++)
		difference |= *a ^ *b;
	return difference == 0;
}

static struct place *by_secret(const struct operation_sockets *sockets, const char *secret)
{
	for (guint i = 0; i < sockets->places->len; i++) {
		struct place *place = sockets->places->pdata[i];

		if (same_secret(place->secret, secret))
			return place;
	}
	return NULL;
}

static struct place *by_name(const struct operation_sockets *sockets, const char *name)
{
	for (guint i = 0; i < sockets->places->len; i++) {
		struct place *place = sockets->places->pdata[i];

		if (strcmp(place->name, name) == 0)
			return place;
	}
	return NULL;
}

gboolean operation_sockets_free_for(struct operation_sockets *sockets, const char *secret)
{
	const struct place *place;
	gboolean empty;

	g_mutex_lock(&sockets->lock);
	place = by_secret(sockets, secret);
	empty = place && !place->ws;
	g_mutex_unlock(&sockets->lock);
	return empty;
}

gboolean operation_sockets_give(struct operation_sockets *sockets, const char *secret,
				struct websocket *ws, void (*release)(struct websocket *ws))
{
	struct place *place;
	gboolean empty;

	g_mutex_lock(&sockets->lock);
	place = by_secret(sockets, secret);
	empty = place && !place->ws;
	if (empty) {
		place->ws = ws;
		place->release = release;
		g_cond_broadcast(&sockets->changed);
	}
	g_mutex_unlock(&sockets->lock);
	return empty;
}

static struct websocket *take(struct operation_sockets *sockets, const char *name)
{
	struct place *place = by_name(sockets, name);

	return place ? g_steal_pointer(&place->ws) : NULL;
}

struct websocket *operation_sockets_take(struct operation_sockets *sockets, const char *name)
{
	struct websocket *ws;

	g_mutex_lock(&sockets->lock);
	ws = take(sockets, name);
	g_mutex_unlock(&sockets->lock);
	return ws;
}

static void wake(G_GNUC_UNUSED GCancellable *cancel, struct operation_sockets *sockets)
{
	g_mutex_lock(&sockets->lock);
	g_cond_broadcast(&sockets->changed);
	g_mutex_unlock(&sockets->lock);
}

struct websocket *operation_sockets_wait(struct operation *op, struct operation_sockets *sockets,
					 const char *name, unsigned seconds, GError **error)
{
	gint64 until = g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;
	GCancellable *cancel = operation_cancellable(op);
	gulong handler = g_cancellable_connect(cancel, G_CALLBACK(wake), sockets, NULL);
	struct websocket *ws;

	g_mutex_lock(&sockets->lock);
	while (!(ws = take(sockets, name)) && !g_cancellable_is_cancelled(cancel))
		if (!g_cond_wait_until(&sockets->changed, &sockets->lock, until))
			break;
	g_mutex_unlock(&sockets->lock);
	g_cancellable_disconnect(cancel, handler);
	if (!ws)
		fail(error, 500, "Timed out waiting for websockets to connect");
	return ws;
}

struct websocket *operation_sockets_await(struct operation_sockets *sockets, const char *name,
					  GCancellable *cancel)
{
	gulong handler = g_cancellable_connect(cancel, G_CALLBACK(wake), sockets, NULL);
	struct websocket *ws;

	g_mutex_lock(&sockets->lock);
	while (!(ws = take(sockets, name)) && !g_cancellable_is_cancelled(cancel))
		g_cond_wait(&sockets->changed, &sockets->lock);
	g_mutex_unlock(&sockets->lock);
	g_cancellable_disconnect(cancel, handler);
	return ws;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /1.0/profiles */
#include <string.h>

#include "api/request.h"
#include "core/profile.h"
#include "core/project.h"

/* The body's object; 400 for anything else. */
static const json_t *body_of(const struct request *request, GError **error)
{
	if (json_is_object(request->body))
		return request->body;
	fail(error, 400, request->body ? "json: cannot unmarshal into an object" : "EOF");
	return NULL;
}

/* Hash over what a client can write. */
static char *etag_for(const json_t *shown)
{
	return etag_of(json_object_get(shown, "config"), json_object_get(shown, "description"),
		       json_object_get(shown, "devices"), NULL);
}

/* OWNER: the project that has them, which need not be the one that was asked for. */
static json_t *urls_of(const json_t *profiles, const char *owner)
{
	gboolean plain = !strcmp(owner, PROJECT_DEFAULT);
	json_t *urls = json_array();
	const json_t *profile;
	size_t i;

	json_array_foreach(profiles, i, profile)
	{
		g_autofree char *segment = g_uri_escape_string(json_text(profile, "name"), NULL,
							       FALSE);
		g_autofree char *url =
			g_strdup_printf("/1.0/profiles/%s%s%s", segment,
					plain ? "" : "?project=", plain ? "" : owner);

		json_array_append_new(urls, json_string(url));
	}
	return urls;
}

static struct reply *profiles_get(struct request *request, GError **error)
{
	g_autoptr(json_t) all = profile_list(request->daemon->db, request->project, error);

	g_autofree char *owner =
		all ? project_of_profiles(request->daemon->db, request->project, error) : NULL;

	if (!owner)
		return NULL;
	return reply_sync(request->recursion ? g_steal_pointer(&all) : urls_of(all, owner));
}

static struct reply *profiles_post(struct request *request, GError **error)
{
	const json_t *body = body_of(request, error);
	g_autofree char *segment = NULL;

	if (!body || !profile_create(request->daemon, request->project, body, &request->who, error))
		return NULL;
	segment = g_uri_escape_string(json_text(body, "name"), NULL, FALSE);
	return reply_created("/1.0/profiles/%s", segment);
}

static struct reply *profile_get(struct request *request, GError **error)
{
	json_t *shown = profile_show(request->daemon->db, request->project, request->arg[0], error);

	if (!shown) {
		if (error && error_status(*error) == 404 &&
		    !strcmp((*error)->message, "Profile not found"))
			g_prefix_error(error, "Fetch profile: ");
		return NULL;
	}
	return reply_sync_etag(shown, etag_for(shown));
}

/* What the profile is now, when the client has seen just that; FAILED begins the error. */
static json_t *current(struct request *request, const char *failed, GError **error)
{
	g_autoptr(json_t)
		shown = profile_show(request->daemon->db, request->project, request->arg[0], error);
	g_autofree char *etag = NULL;

	if (!shown) {
		g_prefix_error(error, "%s\"%s\": ", failed, request->arg[0]);
		return NULL;
	}
	etag = etag_for(shown);
	if (!request_if_match(request, etag, error))
		return NULL;
	return g_steal_pointer(&shown);
}

static struct reply *write_to(struct request *request, const json_t *wanted, GError **error)
{
	if (!profile_update(request->daemon, request->project, request->arg[0], wanted,
			    &request->who, error))
		return NULL;
	return reply_sync(NULL);
}

static struct reply *profile_put(struct request *request, GError **error)
{
	const json_t *body = body_of(request, error);
	g_autoptr(json_t) shown = body ? current(request, "Failed to retrieve profile ", error)
				       : NULL;

	return shown ? write_to(request, body, error) : NULL;
}

/* The keys that are sent replace those that are there; an empty value takes one away. */
static void merge(json_t *shown, const json_t *body, const char *part)
{
	const json_t *sent = json_object_get(body, part);

	if (json_is_object(sent))
		json_object_update(json_object_get(shown, part), (json_t *)sent);
	else if (sent && !json_is_null(sent))
		json_object_set(shown, part, (json_t *)sent);
}

static struct reply *profile_patch(struct request *request, GError **error)
{
	const json_t *body = body_of(request, error);
	g_autoptr(json_t) shown = body ? current(request, "Failed to retrieve profile=", error)
				       : NULL;

	if (!shown)
		return NULL;
	merge(shown, body, "config");
	merge(shown, body, "devices");
	if (json_object_get(body, "description"))
		json_object_set(shown, "description", json_object_get(body, "description"));
	return write_to(request, shown, error);
}

static struct reply *profile_post(struct request *request, GError **error)
{
	const json_t *body = body_of(request, error);
	g_autofree char *segment = NULL;

	if (!body || !profile_rename(request->daemon, request->project, request->arg[0],
				     json_text(body, "name"), &request->who, error))
		return NULL;
	segment = g_uri_escape_string(json_text(body, "name"), NULL, FALSE);
	return reply_created("/1.0/profiles/%s", segment);
}

static struct reply *remove_it(struct request *request, GError **error)
{
	if (!profile_delete(request->daemon, request->project, request->arg[0], &request->who,
			    error))
		return NULL;
	return reply_sync(NULL);
}

const struct route routes_profiles[] = {
	{ "1.0/profiles", 0, .get = profiles_get, .post = profiles_post },
	{ "1.0/profiles/{}", 0, .get = profile_get, .put = profile_put, .patch = profile_patch,
	  .post = profile_post, .delete = remove_it },
	{ 0 },
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the libraries' macros come to, for cppcheck, which is given no header of theirs. */
#define G_DEFINE_AUTOPTR_CLEANUP_FUNC(type, free)
#define G_DEFINE_TYPE(name, prefix, parent)
#define G_DEFINE_FINAL_TYPE(name, prefix, parent)
#define G_GNUC_PRINTF(format, first)
#define G_GNUC_NULL_TERMINATED
#define G_DEFINE_FINAL_TYPE_WITH_CODE(name, prefix, parent, code)
#define G_GNUC_UNUSED
#define G_STATIC_ASSERT(condition)
#define g_autofree
#define g_autoptr(type) type *
#define g_auto(type) type
#define json_array_foreach(array, i, value) \
	for (i = 0; i < json_array_size(array) && (value = json_array_get(array, i)); i++)
#define json_object_foreach(object, key, value)                                     \
	for (key = json_object_iter_key(json_object_iter(object));                  \
	     key && (value = json_object_iter_value(json_object_key_to_iter(key))); \
	     key = json_object_iter_key(                                            \
		     json_object_iter_next(object, json_object_key_to_iter(key))))

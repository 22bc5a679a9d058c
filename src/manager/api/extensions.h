/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The API extensions that this daemon has: clients use nothing that is not named here. */
#pragma once

/* Names, ended by NULL. */
extern const char *const api_extensions[];

/* The status page, embedded at build: what stands in this folder. Everything it needs comes from the worker
 * that serves it; it shows what /status.json says. */
#ifndef PGUSHER_CDC_PAGE_TEXTS_H
#define PGUSHER_CDC_PAGE_TEXTS_H

extern const char page_index_html[];
extern const char page_page_css[];
extern const char page_page_js[];

#endif

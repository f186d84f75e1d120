// The theme's arrows beside a page with pages below it say nothing to a screen reader.
for (const arrow of document.querySelectorAll("summary > .toctree-toggle")) {
  arrow.parentNode.ariaLabel = "pages below";
}

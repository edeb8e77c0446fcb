/** Shows the plot of a data set, in the colours of the page. */

const { Bokeh } = window;
const place = document.getElementById("ar-plot");
const item = JSON.parse(document.getElementById("ar-plot-item").textContent);

await Bokeh.embed.embed_item(item, place);
const plot = Bokeh.documents.at(-1).roots()[0];

/** The page says its colours as those of this element, whatever theme it has. */
function paint() {
  const { color, borderTopColor } = getComputedStyle(place);
  for (const axis of [...plot.below, ...plot.left]) {
    axis.setv({
      axis_label_text_color: color,
      major_label_text_color: color,
      axis_line_color: borderTopColor,
      major_tick_line_color: borderTopColor,
      minor_tick_line_color: null,
    });
  }
  for (const grid of plot.center) grid.setv({ grid_line_color: borderTopColor });
}

paint();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
new MutationObserver(paint).observe(document.documentElement, { attributes: true });
place.dataset.drawn = "";

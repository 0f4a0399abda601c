// What Scripts/trials/console-access looks for in a view; evaluated in the page.

window.access = (() => {
  const interactive = "a[href], button, input, select, textarea, summary, [tabindex='0']";
  const isShown = element => element.checkVisibility({visibilityProperty: true, opacityProperty: true})
    && element.getClientRects().length > 0;
  const name = element => `${element.localName}${element.id ? "#" + element.id : ""} `
    + `"${(element.getAttribute("aria-label") ?? element.textContent).trim().slice(0, 40)}"`;
  const texts = function* () {
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const node = walk.currentNode;
      if (node.data.trim() && isShown(node.parentElement)) yield node;
    }
  };

  // --- Contrast: WCAG 2.2, 1.4.3 and 1.4.11 -----------------------------------------------------

  const color = text => {
    const numbers = text.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    const scale = text.startsWith("color(") ? 255 : 1;
    const [red, green, blue] = numbers.slice(0, 3).map(part => part * scale);
    return [red, green, blue, text === "none" ? 0 : numbers[3] ?? 1];
  };
  const over = (top, below) => top.slice(0, 3).map((part, index) =>
    part * top[3] + below[index] * (1 - top[3])).concat(1);
  const light = ([red, green, blue]) => [red, green, blue].map(part => part / 255).map(part =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const ratio = (one, other) => {
    const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  /** What is behind an element: colors of it and its parents; in a drawing, of the shape it is on. */
  const ground = element => {
    const layers = [];
    const box = element.getBoundingClientRect();
    if (element instanceof SVGElement && !(element instanceof SVGSVGElement)) {
      for (const shape of element.ownerSVGElement.querySelectorAll("rect")) {
        const area = shape.getBoundingClientRect();
        if (shape !== element && area.left <= box.left && area.right >= box.left
          && area.top <= box.top && area.bottom >= box.top) {
          layers.unshift(color(getComputedStyle(shape).fill));
        }
      }
    }
    for (let one = element; one; one = one.parentElement) {
      layers.push(color(getComputedStyle(one).backgroundColor));
    }
    const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
    return layers.reverse().reduce((below, top) => over(top, below),
      isDark ? [18, 18, 18, 1] : [255, 255, 255, 1]);
  };
  const opacity = element => {
    let result = 1;
    for (let one = element; one; one = one.parentElement) result *= getComputedStyle(one).opacity;
    return result;
  };

  const contrast = () => {
    const faults = new Set();
    for (const node of texts()) {
      const element = node.parentElement;
      const style = getComputedStyle(element);
      const ink = color(element instanceof SVGElement ? style.fill : style.color);
      const below = ground(element);
      ink[3] *= opacity(element);
      const size = parseFloat(style.fontSize);
      const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
      const found = ratio(over(ink, below), below);
      if (found < (isLarge ? 3 : 4.5)) {
        faults.add(`${name(element)}: contrast ${found.toFixed(2)} of text`);
      }
    }
    // Edges of fields, and what charts are drawn with.
    for (const field of document.querySelectorAll("input, select, textarea")) {
      if (!isShown(field) || ["checkbox", "file"].includes(field.type)) continue;
      const below = ground(field.parentElement);
      const found = ratio(over(color(getComputedStyle(field).borderTopColor), below), below);
      if (found < 3) faults.add(`${name(field)}: contrast ${found.toFixed(2)} of the field's edge`);
    }
    for (const mark of document.querySelectorAll("svg .chart-line, svg.chain rect, svg.chain path")) {
      const below = ground(mark.ownerSVGElement);
      const found = ratio(over(color(getComputedStyle(mark).stroke), below), below);
      if (found < 3) faults.add(`${name(mark)}: contrast ${found.toFixed(2)} of a drawing`);
    }
    return [...faults];
  };

  // --- A small window ---------------------------------------------------------------------------

  const scrollsAside = element => {
    for (let one = element; one; one = one.parentElement) {
      if (["auto", "scroll"].includes(getComputedStyle(one).overflowX)) return true;
    }
    return false;
  };
  /** A link in a sentence has the height of its line. */
  const isInText = element => element.localName === "a" && element.parentElement.matches("p, .log div")
    && [...element.parentElement.childNodes].some(one => one !== element && one.textContent.trim());

  const small = () => {
    const faults = new Set();
    if (document.scrollingElement.scrollWidth > innerWidth) {
      faults.add(`the page has ${document.scrollingElement.scrollWidth} of ${innerWidth} points`);
    }
    for (const element of document.querySelectorAll(interactive)) {
      if (!isShown(element) || isInText(element) || element.matches(".skip")) continue;
      // A label around a field is part of its target.
      const {width, height} = (element.closest("label") ?? element).getBoundingClientRect();
      if (width < 24 || height < 24) {
        faults.add(`${name(element)}: a target of ${width.toFixed(0)} x ${height.toFixed(0)} points`);
      }
    }
    for (const node of texts()) {
      const element = node.parentElement;
      if (element.closest(".skip, #view")) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      for (const box of range.getClientRects()) {
        if ((box.right > innerWidth + 1 || box.left < -1) && !scrollsAside(element)) {
          faults.add(`${name(element)}: text beyond the edge`);
        }
      }
      const style = getComputedStyle(element);
      if (["hidden", "clip"].includes(style.overflowX) && element.scrollWidth > element.clientWidth + 1) {
        faults.add(`${name(element)}: cut text`);
      }
    }
    return [...faults];
  };

  // --- The tree ---------------------------------------------------------------------------------

  const structure = () => {
    const faults = [];
    const headings = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter(isShown);
    const levels = headings.map(one => Number(one.localName[1]));
    if (levels.filter(level => level === 1).length !== 1 || levels[0] !== 1) {
      faults.push(`headings begin with ${levels.slice(0, 3)}`);
    }
    levels.forEach((level, index) => {
      if (index && level > levels[index - 1] + 1) faults.push(`${name(headings[index])}: a level is left out`);
      if (!headings[index].textContent.trim()) faults.push("a heading without text");
    });
    for (const table of document.querySelectorAll("table")) {
      const heads = [...table.querySelectorAll("th")];
      if (!heads.length || heads.some(one => !one.textContent.trim() || one.scope !== "col")) {
        faults.push(`${name(table)}: a column without a head`);
      }
    }
    // Fields need a label that can be seen, beside a name that can be heard.
    for (const field of document.querySelectorAll("input, select, textarea")) {
      if (!isShown(field) || field.type === "file") continue;
      const label = field.closest("label")?.textContent.trim() || (field.id
        && document.querySelector(`label[for="${field.id}"]`)?.textContent.trim());
      if (!label) faults.push(`${name(field)}: no label`);
    }
    // What a form or an action answers is told.
    for (const form of document.querySelectorAll("main form")) {
      const part = form.closest("section, div");
      if (!part.querySelector("[role=status], [role=log], [aria-live]") && !form.matches(".row, :has(#token)")) {
        faults.push(`${name(form)}: no live region for the answer`);
      }
    }
    for (const word of ["main", "nav[aria-label]", "header", "#notice[aria-live]"]) {
      if (document.querySelectorAll(word).length !== 1) faults.push(`no ${word}`);
    }
    if (!/ – wasmd$/.test(document.title)) faults.push(`the title is "${document.title}"`);
    if (document.documentElement.lang !== "en") faults.push("no language");
    return faults;
  };

  // --- The keyboard -----------------------------------------------------------------------------

  const seen = new Set();
  /** Where the focus is: null for the page itself; faults of the place. */
  const stop = () => {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    seen.add(element);
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const faults = [];
    const hasRing = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
      && ratio(over(color(style.outlineColor), ground(element.parentElement)),
        ground(element.parentElement)) >= 3;
    if (!hasRing && element.id !== "main") faults.push(`${name(element)}: no ring`);
    if (box.bottom < 0 || box.top > innerHeight || box.right < 0 || box.left > innerWidth) {
      faults.push(`${name(element)}: the focus is out of sight`);
    }
    return {name: name(element), faults};
  };
  const missed = () => {
    // What the page made anew meanwhile was visited if what it replaced was.
    const gone = [...seen].filter(one => !one.isConnected).map(name);
    return [...document.querySelectorAll(interactive)]
      .filter(one => isShown(one) && !seen.has(one)).map(name)
      .filter(one => !gone.includes(one) || !gone.splice(gone.indexOf(one), 1));
  };
  const restart = () => {
    seen.clear();
    document.activeElement?.blur();
    // The next Tab begins at the top.
    const place = document.createElement("span");
    place.tabIndex = -1;
    document.body.prepend(place);
    place.focus();
    place.remove();
    scrollTo(0, 0);
  };

  return {contrast, small, structure, stop, missed, restart, name};
})();

"use strict";
// Shows what is in the page: nothing is fetched but the recording, and that only when it is to be played.
(async () => {
  const $ = id => document.getElementById(id);
  const page = JSON.parse($("header").textContent);
  const { words, thresholds, clips, duration_s: duration } = page;
  const N_COLOURS = 8, MARGIN_S = 0.3, ROWS = 100, MAX_REGIONS = 300, SHORTEST_VIEW_S = 0.25;

  // ---- Numbers ----

  async function unpacked() {
    const text = atob($("packed").textContent);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  }

  let buffer;
  try {
    buffer = await unpacked();
  } catch (error) {
    $("facts").textContent = `This browser cannot unpack the page (${error}); one of 2023 or later can.`;
    return;
  }
  let at = 0;
  // Rows of bytes, each byte the difference to the one before.
  function series({ n_columns, width, column_s }) {
    const rows = [];
    for (let row = 0; row < width; row++) {
      const values = new Uint8Array(buffer, at, n_columns);
      for (let i = 1; i < n_columns; i++) values[i] += values[i - 1];
      rows.push(values);
      at += n_columns;
    }
    return { rows, column_s, n_columns };
  }
  const waveform = series(page.waveform), mel = series(page.mel), scores = series(page.scores);
  function numbers(n, size, read) {
    const view = new DataView(buffer, at, n * size);
    at += n * size;
    return Array.from({ length: n }, (_, i) => view[read](i * size, true));
  }
  // All that was found of each word at any threshold.
  const found = words.map((word, word_idx) => {
    const n = word.n_found;
    const steps = numbers(n, 4, "getUint32"), lasted = numbers(n, 4, "getUint32"), peaks = numbers(n, 4, "getFloat32");
    const low = numbers(n, 2, "getUint16"), high = numbers(n, 2, "getUint16");
    let step = 0;
    return steps.map((steps_since, i) => {
      step += steps_since;
      const end = Math.max(0, (step - lasted[i]) * page.step_s - word.delay_s);
      const start = Math.max(0, end - word.duration_s);
      const key = `${word_idx} ${step} ${lasted[i]}`;
      return { key, word_idx, start, end, time: step * page.step_s, score: peaks[i], low: low[i], high: high[i] };
    });
  });
  for (const one of found.flat()) one.clip = clipOf(one);

  function clipOf({ start, time }) {
    let low = 0, high = clips.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (clips[middle][0] <= start + 0.01) low = middle + 1; else high = middle;
    }
    for (let i = low - 1; i >= 0 && i >= low - 4; i--) {
      if (clips[i][1] >= Math.min(time, duration) - 0.01) return i;
    }
    return -1;
  }

  // ---- State ----

  const idxs = words.map(word => word.own_idx);
  let isOwn = true;
  let detections = [];
  let chosen = null;
  const view = { from: 0, to: Math.max(duration, SHORTEST_VIEW_S) };
  const whole = { ...view };
  let playing = null;
  let isFocusToFollow = false;

  function clock(seconds, n_decimals = 3) {
    // What rounds up to a minute is one.
    const unit = 10 ** n_decimals, all = Math.round(seconds * unit);
    const minutes = Math.floor(all / unit / 60);
    const rest = ((all - minutes * 60 * unit) / unit).toFixed(n_decimals).padStart(n_decimals ? n_decimals + 3 : 2, "0");
    const hours = Math.floor(minutes / 60);
    return hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
  }
  const thresholdText = idx => String(Math.round(thresholds[idx] * 10000) / 10000);
  const plural = n => `${n} ${n === 1 ? "detection" : "detections"}`;

  function atThresholds(idxs) {
    return words.flatMap((_, i) => found[i].filter(one => one.low <= idxs[i] && idxs[i] <= one.high)).sort((a, b) => a.time - b.time || a.word_idx - b.word_idx);
  }

  // ---- Thresholds ----

  const sliders = [];
  function addSlider(name, word_idx) {
    const row = document.createElement("div");
    row.className = word_idx === null ? "slider all" : `slider w${word_idx % N_COLOURS}`;
    const id = word_idx === null ? "threshold-all" : `threshold-${word_idx}`;
    const label = document.createElement("label"), input = document.createElement("input");
    label.htmlFor = input.id = id;
    if (word_idx !== null) {
      const chip = document.createElement("span");
      chip.className = "chip";
      label.append(chip);
    }
    label.append(name);
    label.title = name;
    Object.assign(input, { type: "range", min: page.lowest_idx, max: thresholds.length - 1, step: 1 });
    const value = document.createElement("output"), count = document.createElement("output");
    count.className = "n";
    input.addEventListener("input", () => setThresholds(+input.value, word_idx));
    row.append(label, input, value, count);
    $("sliders").append(row);
    return { input, value, count };
  }
  const all = addSlider("all words", null);
  // With one word the slider of all is its own.
  if (words.length > 1) words.forEach((word, i) => sliders.push(addSlider(word.name, i)));

  function setThresholds(idx, word_idx) {
    isOwn = false;
    const within = Math.min(Math.max(idx, page.lowest_idx), thresholds.length - 1);
    if (word_idx === null) idxs.fill(within); else idxs[word_idx] = within;
    find();
  }
  function setOwn() {
    isOwn = true;
    words.forEach((word, i) => { idxs[i] = word.own_idx; });
    find();
  }
  const median = () => [...idxs].sort((a, b) => a - b)[idxs.length >> 1];
  const nOwn = atThresholds(words.map(word => word.own_idx)).length;

  function find() {
    detections = atThresholds(idxs);
    const same = chosen && (detections.find(one => one.key === chosen.key)
      || detections.find(one => one.word_idx === chosen.word_idx && Math.abs(one.time - chosen.time) < 0.5));
    chosen = same || null;
    const counts = words.map(() => 0);
    for (const one of detections) counts[one.word_idx]++;
    const alike = idxs.every(idx => idx === idxs[0]);
    all.input.value = median();
    all.value.value = alike ? thresholdText(idxs[0]) : isOwn ? "own" : "mixed";
    all.input.setAttribute("aria-valuetext", alike ? thresholdText(idxs[0]) : "different thresholds");
    all.count.value = detections.length;
    sliders.forEach(({ input, value, count }, i) => {
      input.value = idxs[i];
      value.value = thresholdText(idxs[i]);
      input.setAttribute("aria-valuetext", thresholdText(idxs[i]));
      count.value = counts[i];
    });
    $("count").value = plural(detections.length) + (isOwn ? ", at the model's own" : ` (at the model's own: ${nOwn})`);
    showTable();
    draw();
  }

  // ---- Table ----

  let firstRow = 0;
  function showTable() {
    const idx = chosen ? detections.indexOf(chosen) : -1;
    if (idx >= 0) firstRow = Math.floor(idx / ROWS) * ROWS;
    if (firstRow >= detections.length) firstRow = 0;
    const body = $("table").tBodies[0];
    body.replaceChildren(...detections.slice(firstRow, firstRow + ROWS).map(one => {
      const row = document.createElement("tr");
      row.className = `w${one.word_idx % N_COLOURS}`;
      row.setAttribute("aria-selected", one === chosen);
      const go = document.createElement("button");
      go.textContent = clock(one.start);
      go.setAttribute("aria-label", `Go to ${words[one.word_idx].name} at ${clock(one.start)} and play it`);
      const cells = [go, words[one.word_idx].name, one.score.toFixed(4), clock(one.end), clock(one.time), one.clip >= 0 ? "♪ in this page" : "in the recording only"];
      for (const cell of cells) {
        const td = document.createElement("td");
        td.append(cell);
        row.append(td);
      }
      row.cells[1].insertAdjacentHTML("afterbegin", "<span class=\"chip\"></span>");
      row.addEventListener("click", () => choose(one, true));
      return row;
    }));
    const row = chosen && body.querySelector("[aria-selected=true]");
    // Only the table's own frame is moved.
    if (row) row.closest(".wide").scrollTop = row.offsetTop - 120;
    const pages = $("pages");
    pages.replaceChildren();
    if (!detections.length) pages.append("Nothing is found at these thresholds.");
    if (detections.length > ROWS) {
      const turn = (text, to) => {
        const button = document.createElement("button");
        button.textContent = text;
        button.disabled = to < 0 || to >= detections.length;
        button.addEventListener("click", () => { chosen = null; firstRow = to; showTable(); draw(); });
        return button;
      };
      const last = Math.min(firstRow + ROWS, detections.length);
      pages.append(turn("earlier", firstRow - ROWS), `${firstRow + 1} to ${last} of ${detections.length}`, turn("later", firstRow + ROWS));
    }
  }

  // ---- Choosing and playing ----

  function choose(one, isPlayed) {
    chosen = one;
    const length = view.to - view.from;
    // What is seen from far away is looked at more closely.
    const wanted = Math.min(length, Math.max(12, 8 * (one.end - one.start)));
    const isSeen = one.start >= view.from && one.time <= view.to && wanted === length;
    if (!isSeen) look((one.start + one.time - wanted) / 2, wanted);
    showTable();
    draw();
    if (isPlayed) playDetection(one);
  }
  function step(direction) {
    if (!detections.length) return;
    let idx = chosen ? detections.indexOf(chosen) + direction : -1;
    if (!chosen) {
      const middle = (view.from + view.to) / 2;
      const isWhole = view.to - view.from >= whole.to - 1e-6;
      idx = direction > 0 ? detections.findIndex(one => isWhole || one.time >= middle) : detections.findLastIndex(one => isWhole || one.time <= middle);
    }
    if (idx < 0 || idx >= detections.length) return;
    // Who goes by keys from region to region stays on one.
    isFocusToFollow = Boolean(document.activeElement && document.activeElement.closest("#regions"));
    choose(detections[idx], true);
  }

  const clipAudio = $("clip"), recording = $("recording");
  const addresses = new Map();
  function clipAddress(idx) {
    if (!addresses.has(idx)) {
      const text = atob(clips[idx][2]);
      const bytes = Uint8Array.from(text, letter => letter.charCodeAt(0));
      addresses.set(idx, URL.createObjectURL(new Blob([bytes], { type: "audio/ogg" })));
    }
    return addresses.get(idx);
  }
  function stop() {
    clipAudio.pause();
    recording.pause();
    playing = null;
    showPlaying();
  }
  // Plays from one moment to another, of the recording.
  async function play(audio, address, offset, from, to) {
    stop();
    say("");
    if (audio.getAttribute("src") !== address) audio.src = address;
    const mine = playing = { audio, offset, to };
    audio.currentTime = Math.max(0, from - offset);
    showPlaying();
    try {
      await audio.play();
      requestAnimationFrame(follow);
    } catch (error) {
      if (playing !== mine) return;
      stop();
      if (audio === recording) {
        say(`The recording cannot be played: it is not at ${decodeURIComponent(page.link)} as seen from this page, or this browser does not know its kind.`
          + (clips.length ? " Detections marked ♪ have their sound in this page." : ""));
      } else {
        say(`This browser cannot play Opus in Ogg (${error.name}).`);
      }
    }
  }
  function playDetection(one) {
    const [from, to] = [Math.max(0, one.start - MARGIN_S), Math.max(one.time, one.end) + MARGIN_S];
    if (one.clip >= 0) return play(clipAudio, clipAddress(one.clip), clips[one.clip][0], from, to);
    return play(recording, page.link, 0, from, to);
  }
  function playFrom(time) {
    const idx = clips.findIndex(([start, end]) => start <= time && time < end - 0.05);
    // The recording goes on; what is in this page is what is left without it.
    return play(recording, page.link, 0, time, Infinity).then(() => {
      if (!playing && idx >= 0) return play(clipAudio, clipAddress(idx), clips[idx][0], time, clips[idx][1]);
    });
  }
  function follow() {
    if (!playing) return;
    const { audio, offset, to } = playing;
    if (audio.ended || audio.paused || audio.currentTime + offset >= to) stop();
    else requestAnimationFrame(follow);
    draw();
  }
  function showPlaying() {
    $("play").textContent = playing ? "■ stop" : "▶ play";
    draw();
  }
  function toggle() {
    if (playing) stop();
    else if (chosen) playDetection(chosen);
    else playFrom(view.from);
  }
  function say(text) {
    $("message").textContent = text;
  }

  // ---- View ----

  function look(from, length) {
    const wanted = Math.min(Math.max(length, SHORTEST_VIEW_S), whole.to);
    view.from = Math.min(Math.max(0, from), whole.to - wanted);
    view.to = view.from + wanted;
    draw();
  }
  function zoom(factor, around = chosen && chosen.time >= view.from && chosen.start <= view.to ? chosen.start : (view.from + view.to) / 2) {
    const length = Math.min(Math.max((view.to - view.from) * factor, SHORTEST_VIEW_S), whole.to);
    const share = (around - view.from) / (view.to - view.from);
    look(around - share * length, length);
  }
  const pan = share => look(view.from + share * (view.to - view.from), view.to - view.from);

  // ---- Drawing ----

  const detail = $("detail"), overview = $("overview"), stage = $("stage");
  let colours;
  function readColours() {
    const style = getComputedStyle(document.documentElement);
    const of = name => style.getPropertyValue(`--${name}`).trim();
    colours = Object.fromEntries(["ink", "paper", "panel", "faint", "soft", "wave"].map(name => [name, of(name)]));
    colours.words = words.map((_, i) => of(`c${i % N_COLOURS}`));
  }

  const size = { left: 0, width: 0 };
  const laneHeight = words.length <= 2 ? 64 : words.length <= 8 ? 42 : 28;
  const FLAGS = 33, WAVEFORM = 84, MEL = 136, GAP = 6, TIMES = 24;
  const melTop = FLAGS + WAVEFORM + GAP, lanesTop = melTop + MEL + GAP;
  const lane = i => ({ top: lanesTop + i * (laneHeight + 3), bottom: lanesTop + i * (laneHeight + 3) + laneHeight });
  const height = lanesTop + words.length * (laneHeight + 3) + TIMES;

  function fit(canvas, width, height) {
    const scale = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    canvas.style.height = `${height}px`;
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = "12px system-ui, sans-serif";
    return context;
  }

  let isDrawing = false;
  function draw() {
    if (isDrawing) return;
    isDrawing = true;
    requestAnimationFrame(() => {
      isDrawing = false;
      drawDetail();
      drawOverview();
      $("range").value = `${clock(view.from, 1)} to ${clock(view.to, 1)}`;
    });
  }

  // The highest of a row's values in each pixel from x = left on; `to` is handed the pixel and the value.
  function highest({ column_s, n_columns }, row, from, perPixel, n_pixels, to) {
    for (let x = 0; x < n_pixels; x++) {
      const first = Math.floor((from + x * perPixel) / column_s);
      const end = Math.min(Math.max(first + 1, Math.floor((from + (x + 1) * perPixel) / column_s)), n_columns);
      let value = -1;
      for (let i = first; i < end; i++) if (row[i] > value) value = row[i];
      if (value >= 0) to(x, value);
    }
  }

  const peak = Math.max(...waveform.rows.map(row => row.reduce((a, b) => Math.max(a, b), 0)));
  const amplitude = value => Math.min(1, (value / Math.max(peak, 26)) ** 2);
  function drawWaveform(context, left, width, top, height, from, to) {
    const middle = top + height / 2, perPixel = (to - from) / width;
    context.fillStyle = colours.wave;
    context.beginPath();
    highest(waveform, waveform.rows[1], from, perPixel, width, (x, value) => {
      const h = amplitude(value) * height * 0.47 + 0.4;
      context.rect(left + x, middle - h, 1, h);
    });
    highest(waveform, waveform.rows[0], from, perPixel, width, (x, value) => context.rect(left + x, middle, 1, amplitude(value) * height * 0.47 + 0.4));
    context.fill();
  }

  const melCanvas = document.createElement("canvas");
  function drawMel(context, left, width, top, height) {
    const first = Math.max(0, Math.floor(view.from / mel.column_s));
    const end = Math.min(mel.n_columns, Math.ceil(view.to / mel.column_s));
    const n = Math.min(end - first, Math.round(width));
    if (n <= 0) return;
    const bands = mel.rows.length;
    [melCanvas.width, melCanvas.height] = [n, bands];
    const small = melCanvas.getContext("2d");
    const image = small.createImageData(n, bands);
    for (let band = 0; band < bands; band++) {
      const row = mel.rows[band];
      let out = (bands - 1 - band) * n * 4;
      for (let x = 0; x < n; x++) {
        const from = first + Math.floor((x * (end - first)) / n), to = Math.max(from + 1, first + Math.floor(((x + 1) * (end - first)) / n));
        // Of very many columns some are enough.
        const stride = Math.max(1, (to - from) >> 3);
        let sum = 0, count = 0;
        for (let i = from; i < to; i += stride) { sum += row[i]; count++; }
        const [red, green, blue] = page.colours[Math.round(sum / count)];
        image.data[out++] = red;
        image.data[out++] = green;
        image.data[out++] = blue;
        image.data[out++] = 255;
      }
    }
    small.putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    const scale = width / (view.to - view.from);
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    context.drawImage(melCanvas, left + (first * mel.column_s - view.from) * scale, top, (end - first) * mel.column_s * scale, height);
    context.restore();
  }

  function timeStep(least) {
    return [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600].find(step => step >= least) || Math.ceil(least / 3600) * 3600;
  }

  const buttons = new Map();
  function drawDetail() {
    const width = stage.clientWidth;
    const context = fit(detail, width, height);
    const left = Math.min(104, Math.max(70, width * 0.14)), inner = Math.max(50, width - left - 2);
    Object.assign(size, { left, width: inner });
    const x = time => left + ((time - view.from) / (view.to - view.from)) * inner;
    const panels = [[FLAGS, WAVEFORM], [melTop, MEL], ...words.map((_, i) => [lane(i).top, laneHeight])];
    context.fillStyle = colours.panel;
    for (const [top, height] of panels) context.fillRect(left, top, inner, height);

    // Times.
    const step = timeStep(((view.to - view.from) * 72) / inner);
    const n_decimals = step < 0.1 ? 2 : step < 1 ? 1 : 0;
    context.textAlign = "center";
    for (let i = Math.ceil(view.from / step - 1e-6); i * step <= view.to + 1e-6; i++) {
      const at = x(i * step);
      context.fillStyle = colours.faint;
      context.fillRect(at, FLAGS, 1, height - TIMES - FLAGS + 3);
      context.fillStyle = colours.soft;
      if (at > left + 14 && at < width - 20) context.fillText(clock(i * step, n_decimals), at, height - 7);
    }

    drawWaveform(context, left, inner, FLAGS, WAVEFORM, view.from, view.to);
    drawMel(context, left, inner, melTop, MEL);
    label(context, left, "waveform", FLAGS + WAVEFORM / 2 + 4, colours.ink);
    label(context, left, "mel", melTop + 12, colours.ink);
    for (const [hz, place] of page.frequencies) {
      if (place > 0 && place < 0.9) label(context, left, hz >= 1000 ? `${hz / 1000} kHz` : `${hz} Hz`, melTop + MEL * (1 - place) + 4, colours.soft);
    }
    words.forEach((word, i) => drawLane(context, left, inner, word, i));

    // Detections.
    const seen = detections.filter(one => one.end >= view.from && one.start <= view.to);
    const free = [-Infinity, -Infinity];
    context.textAlign = "left";
    context.save();
    context.beginPath();
    context.rect(left, 0, inner, height);
    context.clip();
    for (const one of seen) {
      const from = x(one.start), wide = Math.max(2, x(one.end) - from), { top } = lane(one.word_idx);
      context.fillStyle = colours.words[one.word_idx];
      context.globalAlpha = one === chosen ? 0.45 : 0.2;
      context.fillRect(from, FLAGS, wide, WAVEFORM);
      context.globalAlpha = one === chosen ? 0.4 : 0.25;
      context.fillRect(from, top, wide, laneHeight);
      // From far away edges would be all that is seen.
      if (seen.length <= MAX_REGIONS) {
        context.globalAlpha = 0.8;
        context.fillRect(from, FLAGS, one === chosen ? 2 : 1, melTop + MEL - FLAGS);
        context.fillRect(from + wide - 1, FLAGS, one === chosen ? 2 : 1, melTop + MEL - FLAGS);
      }
      context.globalAlpha = 1;
      const name = `${words[one.word_idx].name} ${one.score.toFixed(3)}`, room = context.measureText(name).width;
      const textAt = Math.max(left, Math.min(from, left + inner - room));
      const line = seen.length <= MAX_REGIONS ? free.findIndex(free => textAt > free) : -1;
      if (line >= 0) {
        context.fillText(name, textAt, FLAGS - 5 - 15 * line);
        free[line] = textAt + room + 10;
      }
    }
    context.restore();
    showRegions(seen, x, left, inner);

    const now = playing ? playing.offset + playing.audio.currentTime : null;
    if (now !== null && now >= view.from && now <= view.to) {
      context.fillStyle = colours.ink;
      context.fillRect(x(now) - 1, FLAGS, 2, height - TIMES - FLAGS);
    }
  }

  function label(context, left, text, y, colour) {
    context.textAlign = "right";
    context.fillStyle = colour;
    let shown = text, pixels = 12;
    const setFont = () => { context.font = `${pixels}px system-ui, sans-serif`; };
    const isTooWide = () => context.measureText(shown).width > left - 8;
    for (setFont(); isTooWide() && pixels > 9; setFont()) pixels -= 0.5;
    while (shown.length > 3 && isTooWide()) shown = `${shown.slice(0, -2)}…`;
    context.fillText(shown, left - 6, y);
    pixels = 12;
    setFont();
  }

  function drawLane(context, left, width, word, i) {
    const { top, bottom } = lane(i), colour = colours.words[i];
    const y = place => bottom - 1 - place * (laneHeight - 2);
    context.fillStyle = colours.faint;
    for (const [, place] of page.ticks) context.fillRect(left, y(place), width, 1);
    const points = [];
    const perPixel = (view.to - view.from) / width;
    if (perPixel >= scores.column_s) {
      highest(scores, scores.rows[i], view.from, perPixel, width, (at, value) => points.push([left + at, y(value / 255)]));
    } else {
      // A score stands at the end of its step.
      const first = Math.max(0, Math.floor(view.from / scores.column_s) - 2), end = Math.min(scores.n_columns, Math.ceil(view.to / scores.column_s) + 1);
      for (let column = first; column < end; column++) {
        points.push([left + ((column + 1) * scores.column_s - view.from) / perPixel, y(scores.rows[i][column] / 255)]);
      }
    }
    context.save();
    context.beginPath();
    context.rect(left, top, width, laneHeight);
    context.clip();
    if (points.length) {
      context.beginPath();
      context.moveTo(points[0][0], bottom);
      for (const point of points) context.lineTo(...point);
      context.lineTo(points[points.length - 1][0], bottom);
      context.globalAlpha = 0.15;
      context.fillStyle = colour;
      context.fill();
      context.globalAlpha = 1;
      context.beginPath();
      for (const point of points) context.lineTo(...point);
      context.strokeStyle = colour;
      context.lineWidth = 1.6;
      context.lineJoin = "round";
      context.stroke();
    }
    context.setLineDash([5, 4]);
    context.strokeStyle = colours.ink;
    context.lineWidth = 1;
    const threshold = Math.round(y(page.threshold_places[idxs[i]])) + 0.5;
    context.beginPath();
    context.moveTo(left, threshold);
    context.lineTo(left + width, threshold);
    context.stroke();
    context.restore();
    const middle = (top + bottom) / 2;
    label(context, left, word.name, laneHeight > 36 ? middle - 2 : middle + 4, colour);
    if (laneHeight > 36) label(context, left, `at ${thresholdText(idxs[i])}`, middle + 13, colours.soft);
  }

  // A button over each detection that is seen: for pointers, keys and screen readers.
  function showRegions(seen, x, left, width) {
    const shown = seen.length <= MAX_REGIONS ? seen : [];
    const keys = new Set(shown.map(one => one.key));
    for (const [key, button] of buttons) {
      if (!keys.has(key)) { button.remove(); buttons.delete(key); }
    }
    let before = null;
    for (const one of shown) {
      let button = buttons.get(one.key);
      if (!button) {
        button = document.createElement("button");
        button.className = `w${one.word_idx % N_COLOURS}`;
        const text = `${words[one.word_idx].name}, score ${one.score.toFixed(3)}, ${clock(one.start)} to ${clock(one.end)}`;
        button.title = text;
        button.setAttribute("aria-label", `${text}: play`);
        // By a key, what plays is stopped.
        button.addEventListener("click", event => { if (!event.detail && playing && one === chosen) stop(); else choose(one, true); });
        button.addEventListener("focus", () => { if (one.end < view.from || one.start > view.to) choose(one, false); });
        buttons.set(one.key, button);
      }
      // In the order of time, which is that of the tabulator.
      const place = before ? before.nextSibling : $("regions").firstChild;
      if (place !== button) $("regions").insertBefore(button, place);
      before = button;
      const from = Math.max(x(one.start), left), to = Math.min(x(one.end), left + width);
      Object.assign(button.style, { left: `${from}px`, width: `${Math.max(2, to - from)}px`, top: `${FLAGS}px`, height: `${lane(one.word_idx).bottom - FLAGS}px` });
      button.setAttribute("aria-pressed", one === chosen);
      if (isFocusToFollow && one === chosen) {
        isFocusToFollow = false;
        button.focus({ preventScroll: true });
      }
    }
  }

  function drawOverview() {
    const width = overview.clientWidth, context = fit(overview, width, 56);
    const { left, width: inner } = size;
    const x = time => left + (time / whole.to) * inner;
    context.fillStyle = colours.panel;
    context.fillRect(left, 0, inner, 56);
    drawWaveform(context, left, inner, 0, 40, 0, whole.to);
    for (const one of detections) {
      context.fillStyle = colours.words[one.word_idx];
      context.fillRect(x(one.start) - 0.5, 40, Math.max(1.5, x(one.end) - x(one.start)), 14);
    }
    const from = x(view.from), to = Math.max(x(view.to), from + 3);
    context.globalAlpha = 0.6;
    context.fillStyle = colours.paper;
    context.fillRect(left, 0, from - left, 56);
    context.fillRect(to, 0, left + inner - to, 56);
    context.globalAlpha = 1;
    context.strokeStyle = colours.ink;
    context.strokeRect(from + 0.5, 0.5, to - from - 1, 55);
    label(context, left, clock(duration, 0), 32, colours.soft);
  }

  // ---- Hands ----

  const timeAt = event => view.from + ((event.clientX - stage.getBoundingClientRect().left - size.left) / size.width) * (view.to - view.from);
  stage.addEventListener("wheel", event => {
    event.preventDefault();
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : 0;
    if (sideways) pan(sideways / 1000);
    else zoom(Math.exp(Math.sign(event.deltaY) * Math.min(Math.abs(event.deltaY), 120) / 400), timeAt(event));
  }, { passive: false });
  let dragged = null;
  detail.addEventListener("pointerdown", event => {
    if (event.button) return;
    dragged = { x: event.clientX, from: view.from, hasMoved: false };
    detail.setPointerCapture(event.pointerId);
  });
  detail.addEventListener("pointermove", event => {
    if (!dragged) return;
    const moved = event.clientX - dragged.x;
    dragged.hasMoved ||= Math.abs(moved) > 4;
    if (dragged.hasMoved) look(dragged.from - (moved / size.width) * (view.to - view.from), view.to - view.from);
  });
  detail.addEventListener("pointerup", event => {
    if (dragged && !dragged.hasMoved) {
      const time = timeAt(event);
      if (time >= view.from && time <= view.to) playFrom(Math.max(0, time));
    }
    dragged = null;
  });
  detail.addEventListener("pointercancel", () => { dragged = null; });
  const lookAt = event => {
    const time = ((event.clientX - overview.getBoundingClientRect().left - size.left) / size.width) * whole.to;
    const length = view.to - view.from;
    look(time - length / 2, length);
  };
  overview.addEventListener("pointerdown", event => {
    overview.setPointerCapture(event.pointerId);
    // From all of it, a click goes closer.
    if (view.to - view.from >= whole.to - 1e-6) zoom(Math.min(1, Math.max(60 / whole.to, 0.1)));
    lookAt(event);
  });
  overview.addEventListener("pointermove", event => { if (event.buttons & 1) lookAt(event); });

  $("previous").onclick = () => step(-1);
  $("next").onclick = () => step(1);
  $("play").onclick = toggle;
  $("zoom-in").onclick = () => zoom(0.5);
  $("zoom-out").onclick = () => zoom(2);
  $("whole").onclick = () => look(0, whole.to);
  $("own").onclick = setOwn;

  const keys = {
    n: () => step(1), p: () => step(-1), " ": toggle, "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), 0: () => look(0, whole.to),
    ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2), Home: () => look(0, view.to - view.from), End: () => look(whole.to, view.to - view.from),
    u: () => setThresholds(median() + 1, null), d: () => setThresholds(median() - 1, null), m: setOwn, "?": () => { $("keys").open = !$("keys").open; },
  };
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const { target, key } = event;
    // A slider moves by arrows, a button is pressed by the space bar.
    if (target.matches("input") && key.length > 1) return;
    if (target.matches("button, summary") && (key === " " || key === "Enter")) return;
    if (Object.hasOwn(keys, key)) {
      event.preventDefault();
      keys[key]();
    }
  });

  // ---- Beginning ----

  const noSound = nOwn - atThresholds(words.map(word => word.own_idx)).filter(one => one.clip >= 0).length;
  $("facts").textContent = [
    page.channel ? `channel ${page.channel}` : "", clock(duration, duration < 60 ? 1 : 0), `model ${page.model}`, plural(nOwn),
    noSound ? `the sound of ${noSound} is not in this page: those with the highest scores have theirs` : "",
    page.lowest_idx ? `below ${thresholdText(page.lowest_idx)} too much would be found to be kept` : "",
  ].filter(Boolean).join(" · ");
  for (const warning of page.warnings) {
    const line = document.createElement("li");
    line.textContent = warning;
    $("warnings").append(line);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); draw(); });
  new ResizeObserver(draw).observe(stage);
  readColours();
  find();
  requestAnimationFrame(() => { document.body.dataset.readyMs = Math.round(performance.now()); });
})();

/**
 * Remembers what the viewer set in the widgets of a document, and puts it back into a new one.
 *
 * A session that its server has let go starts again from the app's first state. Its widgets get their values
 * one by one, in the order in which they were last set, each after the server's answer to the one before: so
 * the callbacks of the app rebuild the state as they built it.
 */

const ATTRIBUTES = ["value", "value_input", "value_throttled", "active", "filename", "mime_type"];
const ANSWER_TIMEOUT_MS = 15_000;

function sameValue(one, other) {
  try {
    return Object.is(one, other) || JSON.stringify(one) === JSON.stringify(other);
  } catch {
    return false;
  }
}

function valueOf(model, attribute) {
  const property = model.properties[attribute];
  return property == null || property.is_unset ? undefined : property.get_value();
}

function rootIds(document) {
  return document.roots().map(({ id }) => id).join(" ");
}

export class WidgetMemory {
  #Widget;
  #rootIds = null;
  #keys = new WeakMap();
  #initial = new Map();
  #records = new Map();

  /** `Widget` is the BokehJS class whose instances count as widgets. */
  constructor(Widget) {
    this.#Widget = Widget;
  }

  /** Follows the document of a session once its widgets stand on the page; `fresh` as `lostIn` found it. */
  follow(session, { fresh }) {
    const { document } = session;
    if (fresh) {
      this.#initial.clear();
    }
    this.#rootIds = rootIds(document);
    for (const [key, model] of this.#widgets(document)) {
      this.#keys.set(model, key);
      this.#noteInitial(key, model);
    }
    document.on_change((event) => this.#note(event, session));
  }

  /**
   * What a pulled document has lost of what the viewer set: everything when it is `fresh` (the app has started
   * again), else what never reached the server.
   */
  lostIn({ document }) {
    const fresh = this.#startsAfresh(document);
    const records = [...this.#records.values()].filter(({ receipt }) => fresh || !receipt?.answered);
    return { fresh, records: records.map((record) => ({ ...record })) };
  }

  /** Sets values that `lostIn` has found; resolves to how many of them were put back. */
  async restore(session, records) {
    let count = 0;
    for (const { key, attribute, value } of records) {
      const model = this.#widgets(session.document).get(key);
      if (model != null && this.#set(model, attribute, value)) {
        count += 1;
        await this.#answered(session);
      }
    }
    return count;
  }

  #set(model, attribute, value) {
    if (!(attribute in model.properties) || sameValue(valueOf(model, attribute), value)) {
      return false;
    }
    try {
      model.setv({ [attribute]: value });
      return true;
    } catch (error) {
      console.warn(`${model.type}.${attribute} could not be put back.`, error);
      return false;
    }
  }

  #answered({ receipt, closed }) {
    const { promise: late, resolve } = Promise.withResolvers();
    const timer = setTimeout(resolve, ANSWER_TIMEOUT_MS);
    return Promise.race([receipt?.answer, closed, late]).finally(() => clearTimeout(timer));
  }

  // A server that has restarted may give its models the very ids that they had before.
  #startsAfresh(document) {
    if (this.#rootIds !== rootIds(document)) {
      return true;
    }
    const widgets = this.#widgets(document);
    const records = [...this.#records.values()];
    const changed = records.filter(({ id, value }) => !sameValue(value, this.#initial.get(id)));
    return changed.length > 0 && changed.every(({ id, key, attribute }) => {
      const model = widgets.get(key);
      return model == null || sameValue(valueOf(model, attribute), this.#initial.get(id));
    });
  }

  #widgets(document) {
    const counts = new Map();
    const widgets = new Map();
    for (const model of document.roots().flatMap((root) => [...root.references()])) {
      if (model instanceof this.#Widget && ATTRIBUTES.some((name) => name in model.properties)) {
        const label = `${model.type} ${model.name ?? ""}`;
        const count = counts.get(label) ?? 0;
        counts.set(label, count + 1);
        widgets.set(`${label} ${count}`, model);
      }
    }
    return widgets;
  }

  #noteInitial(key, model) {
    for (const attribute of ATTRIBUTES) {
      const id = `${key} ${attribute}`;
      if (attribute in model.properties && !this.#initial.has(id)) {
        this.#initial.set(id, valueOf(model, attribute));
      }
    }
  }

  #keyOf(model, document) {
    if (!this.#keys.has(model)) {
      for (const [key, widget] of this.#widgets(document)) {
        if (!this.#keys.has(widget)) {
          this.#keys.set(widget, key);
        }
      }
    }
    return this.#keys.get(model);
  }

  #note({ kind, model, attr: attribute, value, sync }, session) {
    if (kind !== "ModelChanged" || !ATTRIBUTES.includes(attribute) || !(model instanceof this.#Widget)) {
      return;
    }
    const key = this.#keyOf(model, session.document);
    const id = `${key} ${attribute}`;
    const known = this.#records.get(id);
    if (sync) {
      this.#records.delete(id);
      this.#records.set(id, { id, key, attribute, value, receipt: session.receipt });
    } else if (known != null) {
      known.value = value;
    }
  }
}

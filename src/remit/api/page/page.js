(() => {
  const one = (selector) => document.querySelector(selector);
  const clocks = [...document.querySelectorAll("[data-left]")].map((clock) => {
    const until = clock.textContent.split(", ")[1];
    const ends = Date.now() + 1000 * clock.dataset.left;
    return () => {
      const left = Math.max(0, Math.round((ends - Date.now()) / 1000));
      const units = [["d", 86400, "h", 3600], ["h", 3600, "min", 60], ["min", 60, "s", 1]];
      const [large, long, small, short] = units.find(([, size]) => left >= size) || [];
      const told = large ? `${Math.floor(left / long)} ${large} ${Math.floor((left % long) / short)} ${small}` : left + " s";
      clock.textContent = (left ? told + " left" : "its time is over") + (until ? ", " + until : "");
    };
  });
  const tell = () => clocks.forEach((clock) => clock());
  tell();
  setInterval(tell, 1000);
  // A key moves the focus to where a decision begins; it never makes one.
  const places = { a: "form:has(.yes) [name=sure], .yes", d: "[name=reason], .no", n: "[href='/a/next']" };
  addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "checkbox";
    const place = !typing && !event.ctrlKey && !event.metaKey && !event.altKey && places[event.key];
    const found = place && one(place);
    if (found) {
      event.preventDefault();
      found.focus();
      found.scrollIntoView({ block: "center" });
    }
  });
  // A passkey signs every field of a form that a person sent, and the form goes on its way.
  addEventListener("submit", async (event) => {
    const form = event.target, by = event.submitter, field = form.elements.confirmed;
    if (!field || field.value) return;
    event.preventDefault();
    try {
      const said = [...new FormData(form, by)].filter(([name]) => name !== "csrf" && name !== "confirmed");
      const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(said)));
      const text = btoa(String.fromCharCode(...new Uint8Array(hash)));
      const challenge = text.replace(/\+/g, "-").replace(/\//g, "_").replace("=", "");
      const ask = { ...JSON.parse(form.dataset.ask), challenge }, keys = navigator.credentials;
      const found = "make" in form.dataset
        ? await keys.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(ask) })
        : await keys.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(ask) });
      field.value = JSON.stringify(found);
      form.requestSubmit(by);
    } catch (error) {
      form.querySelector("[data-told]").textContent = "Not confirmed: " + error.message;
    }
  });
})();

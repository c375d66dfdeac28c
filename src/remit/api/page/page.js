(() => {
  const one = (selector) => document.querySelector(selector);
  const clock = one("[data-left]");
  if (clock) {
    const until = clock.textContent.split(", ")[1] || "";
    const ends = Date.now() + 1000 * clock.dataset.left;
    const tell = () => {
      const left = Math.max(0, Math.round((ends - Date.now()) / 1000));
      const minutes = left >= 60 ? Math.floor(left / 60) + " min " : "";
      clock.textContent = (left ? minutes + (left % 60) + " s left" : "its time is over") + ", " + until;
    };
    tell();
    setInterval(tell, 1000);
  }
  // A key moves the focus to where a decision begins; it never makes one.
  const places = { a: "[name=sure], .yes", d: "[name=reason], .no" };
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
})();

// What is chosen, in four selects, the slider and the address.

const CHOICES = { slm: study.slms, dataset: study.datasets, method: study.methods, llm: study.llms };
const chosen = { slm: "", dataset: "", method: "", llm: "", share: 30 };

const chosenSetting = () => settings.get(key(chosen.slm, chosen.dataset)) ?? null;

function readAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const [name, values] of Object.entries(CHOICES)) {
    const value = wanted.get(name);
    if (values.includes(value)) chosen[name] = value;
    else if (!values.includes(chosen[name])) chosen[name] = values[0] ?? "";
  }
  const share = Number(wanted.get("share") ?? NaN);
  if (Number.isInteger(share) && share >= 0 && share <= 100) chosen.share = share;
  if (!location.hash && !chosenSetting() && study.settings.length) {
    chosen.slm = study.settings[0].slm;
    chosen.dataset = study.settings[0].dataset;
  }
}

function writeAddress() {
  history.replaceState(null, "", `#${new URLSearchParams({ ...chosen, share: String(chosen.share) })}`);
}

function fillSelects() {
  for (const [name, values] of Object.entries(CHOICES)) {
    const select = host(name);
    select.replaceChildren(...values.map((value) => element("option", { value }, value)));
    if (!values.length) {
      select.append(element("option", { value: "" }, name === "llm" ? "no run of an LLM" : "none"));
      select.disabled = true;
    }
    select.addEventListener("change", () => choose({ [name]: select.value }));
  }
}

function showChosen() {
  for (const name of Object.keys(CHOICES)) host(name).value = chosen[name];
  for (const option of host("dataset").options) {
    const has = settings.has(key(chosen.slm, option.value));
    option.textContent = has ? option.value : `${option.value} (not run)`;
  }
}

function choose(changes) {
  Object.assign(chosen, changes);
  showChosen();
  writeAddress();
  drawAll();
}

function followTheme() {
  const select = host("theme");
  // A page from a disk may be forbidden to remember anything.
  const remember = (write) => {
    try {
      return write();
    } catch {
      return null;
    }
  };
  select.value = remember(() => localStorage.getItem("slmroute-theme")) ?? "system";
  const apply = () => {
    if (select.value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = select.value;
  };
  select.addEventListener("change", () => {
    apply();
    remember(() => localStorage.setItem("slmroute-theme", select.value));
  });
  apply();
}

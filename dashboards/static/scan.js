// The code on a device is photographed, where the browser can read it; else it is typed.

const place = document.querySelector("[data-scan]");
if (place && "BarcodeDetector" in window) {
  const says = place.querySelector("[role=status]");
  place.hidden = false;
  place.querySelector("input").addEventListener("change", async (event) => {
    try {
      const [file] = event.target.files;
      const detector = new BarcodeDetector({ formats: ["qr_code"] });
      const [found] = await detector.detect(await createImageBitmap(file));
      document.getElementById("code").value = found.rawValue;
      says.textContent = says.dataset.found;
    } catch {
      says.textContent = says.dataset.failed;
    }
  });
}

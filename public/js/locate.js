// "Use my location": the browser's position, rounded before it leaves, becomes a weather place.
(() => {
  const line = document.querySelector("[data-locate]");
  if (!line || !navigator.geolocation) return;
  line.hidden = false;
  const says = line.querySelector("[role=status]");
  line.querySelector("button").addEventListener("click", () => {
    says.textContent = "Asking your browser…";
    navigator.geolocation.getCurrentPosition(async ({ coords }) => {
      const place = { lat: Number(coords.latitude.toFixed(2)), lon: Number(coords.longitude.toFixed(2)) };
      const answer = await fetch("/api/weather/places", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(place) });
      if (answer.ok) location.reload();
      else says.textContent = (await answer.json()).detail;
    }, () => { says.textContent = "We couldn't access your location. Enter a city to see weather."; });
  });
})();

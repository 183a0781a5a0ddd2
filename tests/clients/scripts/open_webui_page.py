"""Open WebUI's page in headless Chromium: ``open_webui_page.py URL FOLDER QUESTION SECOND`` prints what it showed, as JSON.

Signs up the first user, looks at the list of models, chooses ``toy:hint``, asks twice. Screenshots go into FOLDER.
"""

import json
import sys
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

url, folder, *questions = sys.argv[1:]
PATIENCE_S = 180


def main() -> dict:
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1000"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        return walk(driver)
    except BaseException:
        driver.save_screenshot(f"{folder}/failed.png")
        raise
    finally:
        driver.quit()


def walk(driver: webdriver.Chrome) -> dict:
    wait = WebDriverWait(driver, PATIENCE_S)

    def all_of(css: str) -> list:
        return driver.find_elements(By.CSS_SELECTOR, css)

    def press(text: str) -> bool:
        for button in all_of("button"):
            if text in button.text and button.is_displayed():
                driver.execute_script("arguments[0].click()", button)
                return True
        return False

    driver.get(f"{url}/auth")
    wait.until(lambda _: press("Get started") or all_of("input[type=email]"))
    wait.until(lambda _: all_of("input#name, input[type=email]"))
    time.sleep(1)
    for css, text in (
        ("input#name", "Admin"),
        ("input[type=email]", "a@example.com"),
        ("input[type=password]", "Secret-12345"),
    ):
        all_of(css)[0].send_keys(text)
    press("Create Admin Account")
    wait.until(lambda _: all_of("#chat-input"))
    time.sleep(3)
    press("Okay, Let's Go!")
    time.sleep(1)
    all_of("#model-selector-model-button")[0].click()
    wait.until(lambda _: all_of("[role=option]"))
    models = [item.text.strip() for item in all_of("[role=option]")]
    driver.save_screenshot(f"{folder}/models.png")
    next(item for item in all_of("[role=option]") if item.text.strip() == "toy:hint").click()
    time.sleep(1)
    turns = []
    for number, question in enumerate(questions, start=1):
        box = all_of("#chat-input")[0]
        box.click()
        box.send_keys(question, Keys.ENTER)
        wait.until(lambda _, number=number: len(all_of(".copy-response-button")) >= number)
        time.sleep(2)
        driver.save_screenshot(f"{folder}/turn-{number}-folded.png")
        folded = all_of(".chat-assistant")[-1].text
        driver.find_elements(By.XPATH, "//*[starts-with(text(), 'Thought for')]")[-1].click()
        time.sleep(1)
        driver.save_screenshot(f"{folder}/turn-{number}.png")
        turns.append({"folded": folded, "opened": all_of(".chat-assistant")[-1].text})
    return {"models": models, "turns": turns}


print(json.dumps(main()))
